"""The extension's preferences: which backend, and its installation."""

import bpy

from .panels.sentences import draw_text
from .state import Setup, State, current

_SHOWN_LINES = 8
_DEVICES = (
    ("AUTO", "Automatic", "The best device of this machine"),
    ("CPU", "CPU", "The processor: works everywhere"),
    ("CUDA", "CUDA", "An NVIDIA graphics card"),
    ("MPS", "Apple", "The graphics processor of an Apple computer"),
)


def _look_again(preferences: "BitpuppetPreferences", context: bpy.types.Context) -> None:
    """Let a change count: the next connection is made by it."""
    link = current().link
    link.disconnect()
    link.refresh()


class BitpuppetPreferences(bpy.types.AddonPreferences):
    """How the extension gets to its backend."""

    bl_idname = __package__

    mode: bpy.props.EnumProperty(
        name="Backend",
        items=(
            ("INSTALL", "Install", "Bitpuppet installs its backend into a folder of its own"),
            ("PROGRAM", "Use Existing", "Use an environment that has bitpuppet already"),
            ("ENDPOINT", "Use Running", "Use a backend that runs, by its endpoint file, which holds its keys"),
        ),
        update=_look_again,
    )
    program: bpy.props.StringProperty(
        name="Environment",
        description="Folder of the Python environment that has bitpuppet, or its Python, or its program bitpuppet",
        subtype="FILE_PATH",
        update=_look_again,
    )
    endpoint_file: bpy.props.StringProperty(
        name="Endpoint File",
        description="The file backend.json that a running backend writes; it holds keys, so nobody else may read it",
        subtype="FILE_PATH",
        update=_look_again,
    )
    device: bpy.props.EnumProperty(name="Device", description="What computes", items=_DEVICES, update=_look_again)
    codec: bpy.props.StringProperty(
        name="Autoencoder",
        description="Folder of the image autoencoder by which presets such as heads draw; empty where you have none. "
        "An installed backend needs Repair afterwards, once",
        subtype="DIR_PATH",
        update=_look_again,
    )
    idle_minutes: bpy.props.FloatProperty(
        name="Idle Minutes",
        description="After how many minutes without a job the backend is let go; it then ends and frees its memory",
        default=10.0,
        min=0.01,
        soft_min=1.0,
        soft_max=120.0,
    )
    packages: bpy.props.StringProperty(
        name="Local Packages",
        description="Folder of wheels to install from, without the internet; empty for the internet",
        subtype="DIR_PATH",
    )
    index_url: bpy.props.StringProperty(
        name="Package Index",
        description="Address of a package index in place of PyPI and PyTorch's own; empty for those",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the page in Blender's preferences: what is needed first comes first."""
        layout, state = self.layout, current()
        layout.row().prop(self, "mode", expand=True)
        if self.mode == "INSTALL":
            self._draw_installation(layout.column(), context, state)
        else:
            layout.prop(self, "program" if self.mode == "PROGRAM" else "endpoint_file")
        self._draw_backend(layout, context, state)
        self._draw_log(layout, state.setup)
        self._draw_options(layout, state.setup)

    def _draw_installation(self, layout: bpy.types.UILayout, context: bpy.types.Context, state: State) -> None:
        setup = state.setup
        if setup.installer is not None:
            draw_setup_progress(layout, setup)
            return
        if state.link.state not in ("not installed", "wrong version"):
            row = layout.row(align=True)
            row.operator("bitpuppet.verify_backend", icon="CHECKMARK")
            row.operator("bitpuppet.install_backend", text="Repair", icon="TOOL_SETTINGS").fresh = True
            row.operator("bitpuppet.uninstall_backend", icon="TRASH")
            return
        row = layout.row()
        row.scale_y = 1.5
        can_load = bool(self.packages) or bpy.app.online_access
        row.enabled = can_load
        label = "Try Again" if setup.has_failed else "Install Backend"
        label = "Update Backend" if state.link.state == "wrong version" else label
        row.operator("bitpuppet.install_backend", text=label, icon="IMPORT").fresh = False
        if can_load:
            return
        row = layout.row()
        row.label(text="Blender may not go online", icon="INTERNET_OFFLINE")
        if not bpy.app.online_access_override:
            row.prop(context.preferences.system, "use_online_access", text="Allow Online Access")

    def _draw_backend(self, layout: bpy.types.UILayout, context: bpy.types.Context, state: State) -> None:
        box = layout.box()
        status = state.status()
        if status.state != "installing":  # that has a bar of its own
            icons = {"connected": "CHECKMARK", "lost": "ERROR", "wrong version": "ERROR", "not installed": "INFO"}
            draw_text(box, context, status.message, icons.get(status.state, "PLAY"))
        row = box.row(align=True)
        row.operator("bitpuppet.start_backend", icon="PLAY")
        row.operator("bitpuppet.stop_backend", icon="SNAP_FACE")
        row.operator("bitpuppet.test_backend", icon="QUESTION")
        row.operator("bitpuppet.show_log", icon="TEXT")
        if state.setup.outcome:
            draw_text(box, context, state.setup.outcome, "ERROR" if state.setup.has_failed else "CHECKMARK")

    def _draw_options(self, layout: bpy.types.UILayout, setup: Setup) -> None:
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.enabled = setup.installer is None
        if self.mode != "ENDPOINT":
            column.prop(self, "device")
            column.prop(self, "codec")
        column.prop(self, "idle_minutes")
        if self.mode == "INSTALL":
            column.prop(self, "packages")
            if not self.packages:
                column.prop(self, "index_url")

    def _draw_log(self, layout: bpy.types.UILayout, setup: Setup) -> None:
        if not setup.lines:
            return
        column = layout.box().column(align=True)
        column.scale_y = 0.7
        for line in setup.lines[-_SHOWN_LINES:]:
            column.label(text=line[:160])


def draw_setup_progress(layout: bpy.types.UILayout, setup: Setup) -> None:
    """Draw how far an installation is, with the button that ends it."""
    row = layout.row(align=True)
    row.progress(factor=setup.fraction, text=setup.step or setup.doing)
    row.operator("bitpuppet.cancel_install", text="", icon="X")


def get_preferences() -> BitpuppetPreferences:
    """The preferences of the enabled extension."""
    return bpy.context.preferences.addons[__package__].preferences


CLASSES = (BitpuppetPreferences,)
