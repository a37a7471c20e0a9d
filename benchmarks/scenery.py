"""What scenes of clothes are made of, and the names of classes: plain constants without torch.

`benchmarks.canvas` says what they mean for a scene.
"""

SIDE, SEED = 80, 0
"""Pixels of a side of a scene; the seed of all scenes."""

TRAIN_SCENES, TEST_SCENES = 2000, 1000
PREVIEW_SCENES = (80, 50)
"""Scenes to train on and to test on."""

OBJECTS, KINDS = (3, 5), 2
"""Fewest and most pieces of clothing in a scene, and how many classes they are drawn from."""

SIZES = (28, 48)
"""Smallest and largest side of a piece in pixels; it is stored with 28."""

INK = 24
"""A pixel of a stored image belongs to the piece from this grey level on, of 255."""

BRIGHTNESS, NOISE = (0.7, 1.0), 8.0
"""A piece is drawn with a share of its stored grey levels; deviation of each pixel's noise."""

IGNORED = 255
"""The label of a pixel that is neither trained on nor counted."""

CLOTHES = (
    *("canvas", "T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
"""Fashion-MNIST's classes in its own order, after the canvas."""

VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant"),
    *("sheep", "sofa", "train", "tv monitor"),
)

CLASSES = {"clothes": CLOTHES, "clothes-preview": CLOTHES, "voc2012": VOC_CLASSES}
"""The classes of each data set by its name in a row, in the order of their numbers."""
