"""What the panels show, each part once for both editors."""

from .. import rendering, results
from ..core.errors import ArtError
from ..core.sheets import find_grid
from ..core.texts import describe_progress
from ..decoding import list_curves
from ..films import is_film
from ..icons import find_page, has_preview
from ..images import check_image
from ..operators.base import find_result
from ..preferences import draw_setup_progress
from ..state import current
from .sentences import draw_text

BUTTON_PIXELS = 65.0
"""Of a boxed sentence's width, at scale 1, what its button and the box take; measured in a window."""
REMEDIES = {
    "wm.save_as_mainfile": "Save File",
    "file.find_missing_files": "Find Missing Files",
    "bitpuppet.fix_alpha": "Set Alpha to Straight",
    "bitpuppet.show_log": "Show Log",
    "bitpuppet.open_preferences": "Preferences",
    "bitpuppet.motion_to_timeline": "Motion to Timeline",
    "bitpuppet.cancel_render": "Cancel Rendering",
    "object.camera_add": "Add Camera",
}
"""Texts of the buttons that help."""


def draw_messages(layout, context):
    """How the backend is, where that needs a look; and what the last action could not do."""
    status = current().status()
    if status.state not in ("connected", "stopped"):
        box = layout.box()
        if status.state == "installing":
            draw_setup_progress(box, current().setup)
        else:
            draw_text(box, context, status.message, "SORTTIME" if status.state == "starting" else "ERROR")
        if status.operator:
            box.operator(status.operator, text=status.label)
    draw_notice(layout, context)


def draw_notice(layout, context):
    """What the last action could not do, if anything, with the button that hides it and the one that helps."""
    data = context.scene.bitpuppet
    if not data.notice:
        return
    box = layout.box()
    row = box.row()
    draw_text(row.column(), context, data.notice, "ERROR", beside=BUTTON_PIXELS)
    row.operator("bitpuppet.dismiss_notice", text="", icon="X", emboss=False)
    if data.remedy in REMEDIES:
        box.operator(data.remedy, text=REMEDIES[data.remedy])


def draw_image(layout, context, name):
    """The image of source or motion, and the button that takes the one of this editor."""
    sheet = getattr(context.scene.bitpuppet, name)
    layout.template_ID(sheet, "image", open="image.open")
    shown = getattr(context.space_data, "image", None)
    if shown is not None and shown != sheet.image:
        layout.operator("bitpuppet.use_image", text="Use Shown Image", icon="IMAGE_DATA").sheet = name
    if is_film(sheet.image):
        layout.label(text="A film: its frames can be used", icon="FILE_MOVIE")
        layout.operator("bitpuppet.read_film", text="Read Film").sheet = name
    elif sheet.image is not None:
        _draw_grid(layout, context, sheet)


def draw_sheet(layout, context, name):
    """How the sheet is cut."""
    sheet = getattr(context.scene.bitpuppet, name)
    if sheet.image is None:
        return
    layout.use_property_split = True
    layout.use_property_decorate = False
    row = layout.row()
    row.prop(sheet, "mode", expand=True)
    column = layout.column(align=True)
    if sheet.mode == "SIZE":
        column.prop(sheet, "width", text="Frame Width")
        column.prop(sheet, "height", text="Height")
    else:
        column.prop(sheet, "columns")
        column.prop(sheet, "lines")
    layout.operator("bitpuppet.guess_size", icon="VIEWZOOM").sheet = name
    column = layout.column(align=True)
    column.prop(sheet, "first")
    column.prop(sheet, "count", text="Frames")


def draw_render(layout, context):
    """Rendering frames of the scene."""
    scene = context.scene
    settings, run = scene.bitpuppet.render, rendering.get_run()
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(align=True)
    column.prop(settings, "width", text="Frame Width")
    column.prop(settings, "height", text="Height")
    layout.prop(settings, "step")
    layout.prop(settings, "engine")
    if settings.engine == "CYCLES":
        layout.prop(settings, "samples")
    layout.prop(settings, "soft")
    layout.prop(settings, "views")
    if settings.views == "OBJECT":
        layout.prop(settings, "turned")
        layout.prop(settings, "directions", text="Turns")
    if run is not None:
        row = layout.row(align=True)
        row.progress(factor=run.done / len(run.shots), text=f"Frame {run.done} of {len(run.shots)}")
        row.operator("bitpuppet.cancel_render", text="", icon="X")
        return
    rows, frames = rendering.count_shots(scene)
    if rows:
        layout.label(text=f"{rows} x {frames} frames" if rows > 1 else f"{frames} frames", icon="INFO")
    row = layout.row(align=True)
    row.operator("bitpuppet.render_frames", text="As Motion", icon="RENDER_ANIMATION").sheet = "motion"
    row.operator("bitpuppet.render_frames", text="As Source", icon="RENDER_ANIMATION").sheet = "source"


def draw_settings(layout, context):
    """How results are drawn."""
    settings = context.scene.bitpuppet.settings
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(settings, "model")
    row = layout.row(align=True)
    row.prop(settings, "seed")
    row.prop(settings, "lock_seed", text="", icon="LOCKED" if settings.lock_seed else "UNLOCKED")
    row.operator("bitpuppet.roll_seed", text="", icon="FILE_REFRESH")
    layout.prop(settings, "steps")
    layout.prop(settings, "fps")
    layout.prop(settings, "anchor")


def draw_pixels(layout, context):
    """What is done to the pixels of frames: all of it with the palette lock, hard alpha without it, too."""
    settings = context.scene.bitpuppet.settings
    lock, alpha = settings.switches
    layout.use_property_split = True
    layout.use_property_decorate = False
    if lock == "soft_lock" and not settings.soft_lock:
        draw_text(layout, context, "This preset draws soft edges and shades, which stay as they are", "INFO")
    layout.prop(settings, alpha)
    column = layout.column()
    column.enabled = getattr(settings, lock)
    row = column.row(align=True)
    row.prop(settings, "palette", placeholder="own colors")
    row.operator("bitpuppet.load_palette", text="", icon="FILE_FOLDER")
    row = column.row()
    row.enabled = settings.palette is None
    row.prop(settings, "colours")
    column = column.column(heading="Mend")
    for name in ("orphans", "patterns", "outline"):
        column.prop(settings, name)


def draw_extend(layout, context):
    """How a motion goes on."""
    settings = context.scene.bitpuppet.settings
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(settings, "count")
    layout.prop(settings, "as_source")
    layout.prop(settings, "variations")
    layout.prop(settings, "temperature")
    layout.prop(settings, "top_p")


def draw_output(layout, context):
    """Where results go."""
    settings = context.scene.bitpuppet.settings
    layout.prop(settings, "show")
    layout.prop(settings, "reuse")
    if settings.reuse:
        layout.template_ID(settings, "output")


def draw_actions(layout, context):
    """The jobs, and how those that are under way go."""
    column = layout.column(align=True)
    big = column.row()
    big.scale_y = 1.5
    big.operator("bitpuppet.retarget", icon="PLAY")
    row = column.row(align=True)
    row.operator("bitpuppet.extend", icon="TRACKING_FORWARDS")
    row.operator("bitpuppet.close_loop", icon="FILE_REFRESH")
    running = [item for item in context.scene.bitpuppet.jobs if item.is_open]
    if not running:
        return
    item = next((one for one in running if one.state in ("running", "storing")), running[-1])
    box = layout.box()
    box.label(text=item.title, icon="SORTTIME")
    if has_preview(item) and (page := find_page(item)):
        box.template_icon(icon_value=page, scale=6.0)
    draw_progress(box, item)
    if item.message:
        draw_text(box, context, item.message)
    if len(running) > 1:
        box.operator("bitpuppet.cancel", text=f"Cancel All {len(running)}", icon="CANCEL")


def draw_progress(layout, item):
    """A job's progress bar with its Cancel."""
    row = layout.row(align=True)
    factor = item.step / item.steps if item.steps else 0.0
    text = describe_progress(item.state, item.step, item.steps, item.position, item.eta)
    row.progress(factor=1.0 if item.state == "storing" else factor, text=text)
    row.operator("bitpuppet.cancel", text="", icon="X").job = item.job


def draw_result(layout, context):
    """The result that is shown or selected: its flipbook, what it is, and where it can go."""
    data, image = context.scene.bitpuppet, find_result(context)
    item = data.selected
    if image is not None and (item is None or item.image != image):
        item = next((one for one in data.jobs if one.image == image), None)
    if item is None and image is None:
        layout.label(text="Nothing has been drawn yet", icon="INFO")
        return
    # There is one flipbook: while a job shows its preview above, it is busy there.
    is_free = item is not None and not any(has_preview(one) for one in data.jobs if one.is_open)
    page = find_page(item) if is_free else 0
    if page:
        layout.template_icon(icon_value=page, scale=6.0)
    row = layout.row(align=True)
    if item is not None:
        row.label(text=item.title)
    elif image is not None:
        row.label(text=image.name)
    if item is not None and item.image is not None:
        row.prop(data, "play", text="", icon="PAUSE" if data.play else "PLAY")
        row.operator("bitpuppet.show", text="", icon="HIDE_OFF").job = item.job
    if item is not None and item.state == "failed" and item.message:
        draw_text(layout, context, item.message, "ERROR")
    if image is None:
        return
    width, height = results.get_size(image)
    report = results.read_report(image)
    facts = [f"{image[results.PREFIX + 'frames']} frames of {width} x {height}"]
    if "bits_per_frame" in report:
        facts.append(f"{report['bits_per_frame']:g} bits a frame")
    layout.label(text=", ".join(facts))
    column = layout.column(align=True)
    row = column.row(align=True)
    row.operator("bitpuppet.add_plane", text="Plane", icon="MESH_PLANE")
    row.operator("bitpuppet.add_strip", text="Sequencer", icon="SEQUENCE")
    row = column.row(align=True)
    row.operator("bitpuppet.save_strip", text="Strip", icon="EXPORT")
    row.operator("bitpuppet.save_sheet", text="Sheet", icon="SPREADSHEET")
    row.operator("bitpuppet.save_frames", text="Frames", icon="RENDERLAYERS")
    row = column.row(align=True)
    row.operator("bitpuppet.use_result", text="As Source").sheet = "source"
    row.operator("bitpuppet.use_result", text="As Motion").sheet = "motion"


def draw_timeline(layout, context):
    """Motion as keyframes."""
    layout.operator("bitpuppet.motion_to_timeline", icon="ACTION")
    active = context.active_object
    curves = list(list_curves(active)) if active is not None else []
    if not curves:
        layout.label(text="Select a plane with a motion", icon="INFO")
        return
    points = [point for curve in curves for point in curve.keyframe_points]
    locked = sum(point.type == "EXTREME" for point in points)
    layout.label(text=f"{active.name}: {len(points)} keys, {locked} locked", icon="KEYFRAME")
    row = layout.row(align=True)
    row.operator("bitpuppet.lock_poses", text="Lock", icon="LOCKED").lock = True
    row.operator("bitpuppet.lock_poses", text="Unlock", icon="UNLOCKED").lock = False
    layout.operator("bitpuppet.add_in_between", icon="KEYTYPE_BREAKDOWN_VEC")
    row = layout.row()
    row.scale_y = 1.25
    row.operator("bitpuppet.redecode", icon="PLAY")


def draw_batch(layout, context):
    """The lists of characters and motions."""
    data = context.scene.bitpuppet
    for name, title in (("source", "Characters"), ("motion", "Motions")):
        layout.label(text=title)
        row = layout.row()
        row.template_list(
            "BITPUPPET_UL_sheets", name, data, f"batch_{name}s", data, f"active_{name}", rows=2, maxrows=5
        )
        buttons = row.column(align=True)
        buttons.operator("bitpuppet.batch_add", text="", icon="ADD").sheet = name
        buttons.operator("bitpuppet.batch_remove", text="", icon="REMOVE").sheet = name
    layout.prop(data, "batch_rows")
    row = layout.row()
    row.scale_y = 1.25
    row.operator("bitpuppet.batch_run", icon="PLAY")


def draw_history(layout, context):
    """The queue and the history."""
    data = context.scene.bitpuppet
    item = data.selected
    row = layout.row()
    row.template_list("BITPUPPET_UL_jobs", "", data, "jobs", data, "active_job", rows=5, maxrows=10)
    buttons = row.column(align=True)
    column = buttons.column(align=True)
    column.enabled = item is not None
    job = item.job if item is not None else ""
    column.operator("bitpuppet.restore", text="", icon="LOOP_BACK").job = job
    column.operator("bitpuppet.copy_seed", text="", icon="COPYDOWN").job = job
    column.operator("bitpuppet.show", text="", icon="HIDE_OFF").job = job
    column.operator("bitpuppet.delete", text="", icon="TRASH").job = job
    buttons.separator()
    buttons = buttons.column()
    buttons.enabled = item is not None
    buttons.operator("bitpuppet.clear", text="", icon="PANEL_CLOSE")


def _draw_grid(layout, context, sheet):
    """How many frames there are, or why the image cannot be used or cut."""
    try:
        width, height = check_image(sheet.image).size
        grid = find_grid(f'"{sheet.image.name}"', width, height, sheet.to_settings())
    except ArtError as error:
        draw_text(layout, context, str(error), "ERROR")
        return
    layout.label(text=f"{grid.columns} x {grid.rows} cells of {grid.width} x {grid.height}", icon="MESH_GRID")
    if grid.rows > 1 or sheet.rows:
        row = layout.row()
        row.use_property_split = True
        row.use_property_decorate = False
        row.prop(sheet, "rows", placeholder="all")
