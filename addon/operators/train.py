"""Training a model of one's own, and what can be done with models."""

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from .. import additions
from ..core.errors import ArtError
from ..preferences import get_preferences
from ..sets import UNKNOWN_PROGRAM, suggest_name
from ..state import current
from ..training import delete_model, describe_facts, get_training, look, rename_model, start, steer
from .base import INNER, PLAIN, Guarded, poll_backend

NAME = "Name of the model"


class TrainLook(Guarded, bpy.types.Operator):
    """Ask the backend for its models and character sets, and for a training that is under way"""

    bl_idname = "bitpuppet.train_look"
    bl_label = "Look for Sets and Models"
    bl_options = INNER

    def act(self, context):
        """Ask."""
        look()


class SetAdd(Guarded, bpy.types.Operator):
    """Make a character set of a folder of sheets: a sub-folder for each character, or a set.toml that tells them"""

    bl_idname = "bitpuppet.set_add"
    bl_label = "Add Set"
    bl_options = PLAIN

    directory: StringProperty(name="Folder", description="Folder of the sheets", subtype="DIR_PATH")
    set_name: StringProperty(
        name="Set Name", description="Letters, digits, dashes and underscores; empty for the folder's name", maxlen=64
    )
    replace: BoolProperty(
        name="Replace", description="Take the place of a set of that name", default=False, options={"SKIP_SAVE"}
    )
    key_corner: BoolProperty(
        name="Key Out Corner",
        description="The color of each sheet's first pixel means transparent, for sheets with a painted background",
        default=False,
    )
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context):
        """Whether the backend's program is known and not being installed, and no set is being added."""
        if get_preferences().mode == "ENDPOINT":
            cls.poll_message_set(UNKNOWN_PROGRAM)
            return False
        if additions.find_addition() is not None:
            cls.poll_message_set("A set is being added; wait until it is there")
            return False
        return poll_backend(cls)

    def invoke(self, context, event):
        """Choose the folder."""
        self.set_name = ""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context):
        """The settings beside the folders."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.scale_y = 0.8
        column.label(text="A folder with a sub-folder", icon="INFO")
        column.label(text="for each character,", icon="BLANK1")
        column.label(text="or with a set.toml", icon="BLANK1")
        layout.prop(self, "set_name", placeholder="as the folder")
        layout.prop(self, "key_corner")
        layout.prop(self, "replace")

    def act(self, context):
        """Let the backend's program begin."""
        name = self.set_name.strip() or suggest_name(self.directory)
        order = additions.make_order(self.directory, name, self.replace, self.key_corner)
        additions.begin(context.scene, order)


class SetCancel(bpy.types.Operator):
    """Stop adding this set"""

    bl_idname = "bitpuppet.set_cancel"
    bl_label = "Cancel"
    bl_options = INNER

    def execute(self, context):
        """Tell the program; the panel says so once it has ended."""
        additions.cancel()
        return {"FINISHED"}


class TrainStart(Guarded, bpy.types.Operator):
    """Let a copy of the base learn the character set, beside all other work. It goes on when this file is closed"""

    bl_idname = "bitpuppet.train_start"
    bl_label = "Train"
    bl_options = PLAIN

    @classmethod
    def poll(cls, context):
        """Whether none is under way, a set is named, and the backend is not being installed."""
        if get_training().is_open:
            cls.poll_message_set("A training is under way; there is one at a time")
            return False
        if not context.scene.bitpuppet.train.characters:
            cls.poll_message_set("Choose a character set first")
            return False
        return poll_backend(cls)

    def act(self, context):
        """Begin."""
        settings = context.scene.bitpuppet.train
        start(settings.model, settings.characters, settings.base, settings.minutes)


class TrainSteer(Guarded, bpy.types.Operator):
    """Pause the training, let it go on, or end it with the best model so far"""

    bl_idname = "bitpuppet.train_steer"
    bl_label = "Steer Training"
    bl_options = INNER

    action: EnumProperty(
        items=(
            ("pause", "Pause", "Save it after its step, and free the device"),
            ("resume", "Resume", "Let it go on"),
            ("finish", "Finish", "End it after its step, with the best model so far"),
        )
    )

    @classmethod
    def description(cls, context, properties):
        """The tooltip."""
        return cls.bl_rna.properties["action"].enum_items[properties.action].description

    def act(self, context):
        """Ask."""
        steer(self.action)


class TrainCancel(Guarded, bpy.types.Operator):
    """Stop the training and throw away what it learned"""

    bl_idname = "bitpuppet.train_cancel"
    bl_label = "Cancel Training"
    bl_options = INNER

    def invoke(self, context, event):
        """Ask first: hours may be lost. Blender's own buttons would both seem to cancel."""
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Cancel the training?",
            message="What it learned is thrown away",
            confirm_text="Throw Away",
        )

    def act(self, context):
        """Ask the backend."""
        current().link.cancel(get_training().job)


class ModelCard(bpy.types.Operator):
    """Show what is known of this model"""

    bl_idname = "bitpuppet.model_card"
    bl_label = "Model"
    bl_options = INNER

    model: StringProperty(description=NAME)

    def execute(self, context):
        """There is nothing to do."""
        return {"FINISHED"}

    def invoke(self, context, event):
        """Show the card."""
        return context.window_manager.invoke_popup(self, width=340)

    def draw(self, context):
        """Draw the card."""
        card = next((one for one in get_training().models if one.model.name == self.model), None)
        self.layout.label(text=self.model, icon="INFO")
        for name, value in describe_facts(card) if card is not None else ():
            row = self.layout.split(factor=0.4)
            row.label(text=name)
            row.label(text=value)


class ModelRename(Guarded, bpy.types.Operator):
    """Give this model another name"""

    bl_idname = "bitpuppet.model_rename"
    bl_label = "Rename Model"
    bl_options = INNER

    model: StringProperty(description=NAME, options={"HIDDEN"})
    to: StringProperty(name="New Name", description="Letters, digits, dots, dashes", maxlen=64)

    def invoke(self, context, event):
        """Ask for the name."""
        self.to = self.model
        return context.window_manager.invoke_props_dialog(self)

    def act(self, context):
        """Ask the backend."""
        if self.to == self.model:
            raise ArtError("This is its name already; write another one")
        rename_model(self.model, self.to)


class ModelDelete(Guarded, bpy.types.Operator):
    """Remove this model, for ever"""

    bl_idname = "bitpuppet.model_delete"
    bl_label = "Delete Model"
    bl_options = INNER

    model: StringProperty(description=NAME, options={"HIDDEN"})

    def invoke(self, context, event):
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def act(self, context):
        """Ask the backend."""
        delete_model(self.model)


CLASSES = (TrainLook, SetAdd, SetCancel, TrainStart, TrainSteer, TrainCancel, ModelCard, ModelRename, ModelDelete)
