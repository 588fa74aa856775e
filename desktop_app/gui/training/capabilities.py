"""What a method can do, in a word or two: by capability, for methods of anybody."""

from desktop_app.gui.i18n import tr


def capability_words(capability: str) -> tuple[str, str]:
    """Return the word on a badge and the sentence behind it; the name itself when unknown."""
    return {
        "encodes": (tr("Latent map"), tr("Places every image in a latent space")),
        "embeds": (tr("Map"), tr("Places the images that it was fitted to")),
        "decodes": (tr("Decodes"), tr("Turns points of the latent space into images")),
        "generates": (tr("Samples"), tr("Makes new images")),
        "scores": (tr("Anomaly score"), tr("Ranks images by how unusual they are")),
        "localizes": (tr("Heat map"), tr("Shows where an image is unusual")),
        "explains": (tr("Reason"), tr("Shows the normal image that comes nearest")),
        "clusters": (tr("Clusters"), tr("Sorts images into groups")),
        "completes": (tr("Fills in"), tr("Fills in missing parts of images")),
        "translates": (tr("Translates"), tr("Turns images into other images")),
        "classifies": (tr("Names"), tr("Compares images with words")),
        "encodes_text": (tr("Word search"), tr("Finds images by words")),
    }.get(capability, (capability, capability))
