"""What the .blend keeps: source, motion, settings, the batch lists and the history, all on the scene."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import images
from .core.errors import ArtError
from .core.films import Cut
from .core.sheets import SheetSettings, guess_size, has_free_lines
from .models import is_soft
from .training import get_training, list_models

STATES = (
    ("waiting", "Waiting", "The backend has not taken it yet", "SORTTIME", 0),
    ("queued", "Queued", "The backend will run it", "SORTTIME", 1),
    ("running", "Running", "It is being drawn", "PLAY", 2),
    ("storing", "Storing", "The result is being packed into the file", "PACKAGE", 3),
    ("done", "Done", "The result is an image of this file", "CHECKMARK", 4),
    ("failed", "Failed", "It ended without a result", "ERROR", 5),
    ("cancelled", "Cancelled", "Somebody stopped it", "CANCEL", 6),
)
RELATIVE = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"}
    if "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    else set()
)
"""Of a path that may begin at the .blend, which versions from 4.5 want to be told."""
OPEN_STATES = ("waiting", "queued", "running", "storing")
"""Of jobs that are not over."""


def _take_image(sheet: "BitpuppetSheet", context: bpy.types.Context) -> None:
    """Set the frame size of an image that was just chosen, if it tells one; the user can still change it."""
    image = sheet.image
    if image is None:
        return
    if image.get("bitpuppet_frame_width") and image.get("bitpuppet_frame_height"):
        sheet.mode = "SIZE"
        sheet.width, sheet.height = image["bitpuppet_frame_width"], image["bitpuppet_frame_height"]
        return
    try:
        pixels = images.read_pixels(image)
    except ArtError:
        return  # told when it is used
    if not has_free_lines(pixels, sheet.width, sheet.height):
        sheet.width, sheet.height = guess_size(pixels)


def _list_models(settings: bpy.types.PropertyGroup, context: bpy.types.Context, text: str) -> list[str]:
    """Names of the backend's models, as far as they are known."""
    return [model.name for model in list_models()]


def _list_sets(group: "BitpuppetTrain", context: bpy.types.Context, text: str) -> list[str]:
    """Names of the backend's character sets, as far as they are known."""
    return list(get_training().sets)


class BitpuppetSheet(bpy.types.PropertyGroup):
    """An image and where its frames are."""

    image: PointerProperty(
        type=bpy.types.Image, name="Image", description="Sheet or strip of frames", update=_take_image
    )
    mode: EnumProperty(
        name="Cells",
        description="How the sheet is divided",
        items=(
            ("SIZE", "Frame Size", "Give the width and height of a frame"),
            ("GRID", "Grid", "Give the number of columns and rows"),
        ),
    )
    width: IntProperty(name="Width", description="Width of a frame", default=64, min=1, max=16384, subtype="PIXEL")
    height: IntProperty(name="Height", description="Height of a frame", default=64, min=1, max=16384, subtype="PIXEL")
    columns: IntProperty(name="Columns", description="Frames in a row of the sheet", default=1, min=1, max=4096)
    lines: IntProperty(name="Rows", description="Rows of the sheet", default=1, min=1, max=4096)
    rows: StringProperty(
        name="Use Rows",
        description="Rows to use, counted from 0 at the top, such as 0,2 or 0-3. Empty: all rows",
        maxlen=200,
    )
    first: IntProperty(name="First Frame", description="First frame to use, counted from 0", min=0, max=4095)
    count: IntProperty(name="Frames", description="How many frames to use; 0 for all", min=0, max=4096)

    def to_settings(self) -> SheetSettings:
        """How the sheet is cut."""
        return SheetSettings(
            self.mode, self.width, self.height, self.columns, self.lines, self.rows, self.first, self.count
        )

    def take(self, image: bpy.types.Image | None, cut: SheetSettings) -> None:
        """Set all of it."""
        self.image = image
        self.mode = cut.mode if cut.mode in {"SIZE", "GRID"} else "SIZE"
        self.width, self.height, self.columns, self.lines = cut.width, cut.height, cut.columns, cut.lines
        self.rows, self.first, self.count = cut.rows, cut.first, cut.count


class BitpuppetSettings(bpy.types.PropertyGroup):
    """How results are drawn."""

    model: StringProperty(
        name="Preset",
        description="The model that draws; the list has those that the backend told of",
        default="sprite64",
        maxlen=64,
        search=_list_models,
    )
    seed: StringProperty(
        name="Seed",
        description="The same seed gives the same pixels on the same device; 0 to 9223372036854775807",
        default="0",
        maxlen=19,
    )
    lock_seed: BoolProperty(
        name="Lock Seed", description="Keep the seed; unlocked, each job takes a new random one", default=True
    )
    steps: IntProperty(
        name="Steps", description="Sampling steps; 0 for the number that the preset was made for", min=0, max=100
    )
    palette_lock: BoolProperty(
        name="Palette Lock",
        description="Bring what is drawn to exact pixels: the character's own colors or those chosen here",
        default=True,
    )
    hard_alpha: BoolProperty(
        name="Hard Alpha", description="Make each pixel opaque or empty, with Palette Lock and without", default=True
    )
    soft_lock: BoolProperty(
        name="Palette Lock",
        description="Bring what is drawn to exact pixels, although this preset draws soft edges and shades",
        default=False,
    )
    soft_alpha: BoolProperty(
        name="Hard Alpha",
        description="Make each pixel opaque or empty, although this preset draws soft edges",
        default=False,
    )
    colours: IntProperty(
        name="Colors", description="Use so many of the character's own colours at most; 0 for all", min=0, max=256
    )
    palette: PointerProperty(
        type=bpy.types.Palette, name="Palette", description="Colors to use in place of the character's own"
    )
    orphans: BoolProperty(name="Orphans", description="Mend single pixels that the character never has", default=True)
    patterns: BoolProperty(
        name="Patterns", description="Mend pixels that the character always shows otherwise", default=False
    )
    outline: BoolProperty(
        name="Outline", description="Mend a closed outline where colours of the inside broke it", default=False
    )
    anchor: EnumProperty(
        name="Anchor",
        description="Where the character stands in the frame; a clip is moved as a whole, by whole pixels",
        items=(
            ("SOURCE", "As Source", "Where the source character stands"),
            ("GROUND", "Ground", "In the middle, feet on the lower edge"),
            ("CENTER", "Center", "In the middle"),
        ),
    )
    count: IntProperty(name="New Frames", description="Frames to add", default=8, min=1, max=4096)
    temperature: FloatProperty(
        name="Temperature",
        description="How far the new motion may stray from the likely one",
        default=1.0,
        min=0.01,
        max=10.0,
        precision=2,
    )
    top_p: FloatProperty(
        name="Top P",
        description="Share of the likely continuations to choose from",
        default=0.9,
        min=0.01,
        max=1.0,
        subtype="FACTOR",
    )
    variations: IntProperty(name="Variations", description="Different continuations to draw", default=1, min=1, max=16)
    as_source: BoolProperty(
        name="Draw as Source",
        description="Let the source character perform the motion and what follows; "
        "off: the motion's own frames stay as they are and go on",
        default=False,
    )
    reuse: BoolProperty(
        name="Replace Result",
        description="Put the next result into the image below, so that all that uses it is up to date",
        default=False,
    )
    output: PointerProperty(
        type=bpy.types.Image, name="Result Image", description="The image that the next result replaces"
    )
    show: BoolProperty(name="Show Result", description="Show a finished result in an open Image Editor", default=True)
    fps: FloatProperty(
        name="Frame Rate",
        description="Frames per second of results: flipbook, planes, strips and sheet data",
        default=12.0,
        min=0.1,
        max=240.0,
        precision=1,
    )

    @property
    def switches(self) -> tuple[str, str]:
        """Names of the palette lock and the hard alpha that count: soft presets have their own, off by themselves."""
        return ("soft_lock", "soft_alpha") if is_soft(self.model) else ("palette_lock", "hard_alpha")


class BitpuppetRender(bpy.types.PropertyGroup):
    """How frames of the scene are rendered."""

    width: IntProperty(name="Width", description="Width of a frame", default=64, min=4, max=4096, subtype="PIXEL")
    height: IntProperty(name="Height", description="Height of a frame", default=64, min=4, max=4096, subtype="PIXEL")
    step: IntProperty(name="Step", description="Render every so many frames of the scene", default=1, min=1, max=1000)
    engine: EnumProperty(
        name="Engine",
        description="Render engine",
        items=(
            ("BLENDER_WORKBENCH", "Workbench", "Fast, flat colours"),
            ("CYCLES", "Cycles", "Path tracing with the scene's lights"),
        ),
    )
    soft: BoolProperty(
        name="Soft Edges",
        description="Smooth the edges of what is rendered, for models that draw soft ones; off: whole hard pixels",
        default=False,
    )
    samples: IntProperty(name="Samples", description="Cycles samples for a pixel", default=16, min=1, max=4096)
    views: EnumProperty(
        name="Directions",
        description="What becomes a row of the sheet",
        items=(
            ("CAMERA", "One View", "The scene's camera: one row"),
            (
                "OBJECT",
                "Turn Object",
                "The scene's camera sees an object turned about its Z axis: one row for each turn",
            ),
            ("CAMERAS", "Cameras", "Each camera of the scene, by name: one row for each"),
        ),
    )
    turned: PointerProperty(type=bpy.types.Object, name="Object", description="The object that is turned")
    directions: IntProperty(name="Directions", description="Turns of the object", default=4, min=2, max=32)


class BitpuppetFilm(bpy.types.PropertyGroup):
    """What is taken of a video file. Seconds without a unit of Blender's, which shows 75.25 as 1.3 min."""

    path: StringProperty(
        name="File",
        description="Video file (mp4, mov, webm, mkv, avi, mpg, gif), or one of numbered PNG files",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    start: FloatProperty(
        name="From (s)", description="Seconds from the film's beginning", min=0, max=359_000, precision=2
    )
    end: FloatProperty(
        name="To (s)", description="Seconds from the film's beginning; 0 for its end", min=0, max=359_000, precision=2
    )
    fps: FloatProperty(
        name="Frame Rate", description="Frames a second to take; 0 for the film's own", min=0, max=240, precision=2
    )
    crop: EnumProperty(
        name="Crop",
        description="The part of the picture to take",
        items=(
            ("MIDDLE", "Middle", "The largest part in the middle that is shaped like a frame"),
            ("WHOLE", "Whole Picture", "All of it, squeezed if a frame is of another shape"),
            ("BOX", "Box", "A box in the picture"),
        ),
    )
    left: IntProperty(name="Left", description="Of the box", min=0, max=8192, subtype="PIXEL")
    top: IntProperty(name="Top", description="Of the box", min=0, max=8192, subtype="PIXEL")
    wide: IntProperty(name="Width", description="Of the box", default=64, min=1, max=8192, subtype="PIXEL")
    high: IntProperty(name="Height", description="Of the box", default=64, min=1, max=8192, subtype="PIXEL")
    sizing: EnumProperty(
        name="Frame Size",
        description="How large frames are made",
        items=(
            ("PRESET", "As Preset", "As large as the preset of the settings draws"),
            ("FILE", "As Film", "As large as what is taken"),
            ("SIZE", "Size", "Give width and height"),
        ),
    )
    width: IntProperty(name="Frame Width", default=64, min=1, max=8192, subtype="PIXEL")
    height: IntProperty(name="Height", default=64, min=1, max=8192, subtype="PIXEL")

    def to_cut(self) -> Cut:
        """All but the file."""
        return Cut(
            self.start,
            self.end,
            self.fps,
            self.crop,
            (self.left, self.top, self.wide, self.high),
            self.sizing,
            (self.width, self.height),
        )


class BitpuppetTrain(bpy.types.PropertyGroup):
    """What a model is trained on."""

    characters: StringProperty(
        name="Characters",
        description="Character set: a folder or .toml file of this name in the backend's folder of sets",
        maxlen=64,
        search=_list_sets,
    )
    base: StringProperty(
        name="Base", description="The model that learns further", default="sprite64", maxlen=64, search=_list_models
    )
    model: StringProperty(name="New Name", description="Of the model that is made", default="my-model", maxlen=64)
    minutes: IntProperty(name="Minutes", description="About how long to train", default=30, min=1, max=10080)


class BitpuppetJob(bpy.types.PropertyGroup):
    """One entry of the queue and the history."""

    job: StringProperty(name="Job", description="The backend's name for it")
    kind: StringProperty()
    title: StringProperty(name="Title", description="Name of the result")
    state: EnumProperty(name="State", items=STATES)
    step: IntProperty()
    steps: IntProperty()
    position: IntProperty(default=-1)
    eta: FloatProperty(default=-1.0)
    message: StringProperty(name="Message", description="Why it failed")
    created: StringProperty(name="Started", description="When it was started")
    record: StringProperty(description="The settings that it was started with, as JSON")
    image: PointerProperty(type=bpy.types.Image, name="Result")

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.state in OPEN_STATES


class BitpuppetScene(bpy.types.PropertyGroup):
    """All of it."""

    source: PointerProperty(type=BitpuppetSheet)
    motion: PointerProperty(type=BitpuppetSheet)
    settings: PointerProperty(type=BitpuppetSettings)
    render: PointerProperty(type=BitpuppetRender)
    film: PointerProperty(type=BitpuppetFilm)
    train: PointerProperty(type=BitpuppetTrain)
    jobs: CollectionProperty(type=BitpuppetJob)
    active_job: IntProperty(name="Entry", description="Entry of the history")
    batch_sources: CollectionProperty(type=BitpuppetSheet)
    active_source: IntProperty()
    batch_motions: CollectionProperty(type=BitpuppetSheet)
    active_motion: IntProperty()
    batch_rows: BoolProperty(
        name="Each Row a Motion",
        description="Make a strip of its own from each row of a motion sheet, instead of one strip from all its rows",
        default=True,
    )
    overlay: BoolProperty(
        name="Grid", description="Draw the frames of source and motion over the image in the Image Editor", default=True
    )
    play: BoolProperty(name="Play", description="Play the selected result in the panel", default=True)
    notice: StringProperty(description="What the last action could not do")
    remedy: StringProperty(description="The operator that helps")
    topic: StringProperty(description="The panel that shows the notice, too")

    @property
    def selected(self) -> "BitpuppetJob | None":
        """The active entry of the history."""
        return self.jobs[self.active_job] if 0 <= self.active_job < len(self.jobs) else None


CLASSES = (
    BitpuppetSheet,
    BitpuppetSettings,
    BitpuppetRender,
    BitpuppetFilm,
    BitpuppetTrain,
    BitpuppetJob,
    BitpuppetScene,
)


def register() -> None:
    """Hang it on the scene."""
    bpy.types.Scene.bitpuppet = PointerProperty(type=BitpuppetScene)


def unregister() -> None:
    """Take it off; what a .blend holds stays in it."""
    del bpy.types.Scene.bitpuppet
