"""What a recipe may say of an optimiser or of a schedule of its learning rate.

The defaults are those of the paper or of torch, except `decay`: weight decay leaves biases and norm weights alone
unless it is asked not to, as is usual since GPT-2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from modelwright.core.settings import Auto, Fraction, Length, Sequence, Settings

if TYPE_CHECKING:
    # Whoever builds an optimiser has chosen a number for `auto` before.
    LearningRate = float
else:
    LearningRate = Annotated[
        Annotated[float, Field(gt=0, le=1000)] | Auto,
        Field(description="Learning rate, before the schedule's factor; auto: by a range test before training."),
    ]
Beta1 = Annotated[
    float, Field(ge=0, lt=1, description="Share of the old running mean of the gradient that a step keeps.")
]
Beta2 = Annotated[
    float, Field(ge=0, lt=1, description="Share of the old running mean of the squared gradient that a step keeps.")
]
Eps = Annotated[float, Field(gt=0, le=1, description="Small number that keeps the denominator away from zero.")]
Momentum = Annotated[float, Field(ge=0, lt=1, description="Share of the old step that a new step keeps.")]
WeightDecay = Annotated[float, Field(ge=0, le=10, description="Strength of weight decay.")]
Decay = Annotated[
    Literal["all", "matrices"],
    Field(
        description="What weight decay acts on: 'all' parameters, or 'matrices' only, sparing biases and norm weights."
    ),
]
Decoupled = Annotated[bool, Field(description="Shrink the weights directly instead of adding to the gradient.")]
Multiplier = Annotated[
    float, Field(gt=0, lt=1, description="What the learning rate is multiplied by at each reduction.")
]
Floor = Annotated[Fraction, Field(ge=0, le=1, description="Smallest factor, as a share of the learning rate.")]
# A part of a run, said as a length or as a share of the whole.
Stretch = Length | Annotated[Fraction, Field(ge=0, le=1)]
WarmUp = Annotated[
    Stretch,
    Field(description="Linear rise at the start: a length ('1 epochs', '100 steps') or a share of the run ('5 %')."),
]


class SgdSettings(Settings):
    """Stochastic gradient descent, with momentum if wanted."""

    kind: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.1
    momentum: Momentum = 0.0
    nesterov: bool = Field(
        default=False, description="Look ahead along the momentum; needs momentum, and no dampening."
    )
    dampening: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the new gradient that the momentum leaves out."
    )
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"

    @model_validator(mode="after")
    def _nesterov_has_what_it_needs(self) -> SgdSettings:
        if self.nesterov and (self.momentum == 0 or self.dampening > 0):
            raise ValueError(
                f"found nesterov with momentum {self.momentum} and dampening {self.dampening}, "
                "expected momentum above 0 and dampening 0"
            )
        return self


class AdamSettings(Settings):
    """Adam; weight decay, if any, is added to the gradient."""

    kind: Literal["adam"] = "adam"
    lr: LearningRate = 1e-3
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    eps: Eps = 1e-8
    amsgrad: bool = Field(
        default=False, description="Divide by the largest second moment so far instead of the present one."
    )
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class AdamWSettings(Settings):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    lr: LearningRate = 1e-3
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    eps: Eps = 1e-8
    amsgrad: bool = Field(
        default=False, description="Divide by the largest second moment so far instead of the present one."
    )
    bits: Literal[32, 8] | Auto = Field(
        default=32,
        description="Bits in which the two moments are kept; 8: as 'adamw8bit' keeps them; auto: 8 where plan.budget needs it, for a "
        "recipe with a section plan.",
    )
    weight_decay: WeightDecay = 0.01
    decay: Decay = "matrices"

    @model_validator(mode="after")
    def _eight_bits_have_no_largest(self) -> AdamWSettings:
        if self.bits != 32 and self.amsgrad:
            raise ValueError(f"found bits {self.bits} with amsgrad, expected bits: 32, or amsgrad: false")
        return self


class NAdamSettings(Settings):
    """Adam with Nesterov momentum."""

    kind: Literal["nadam"] = "nadam"
    lr: LearningRate = 2e-3
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    eps: Eps = 1e-8
    momentum_decay: float = Field(default=4e-3, ge=0, le=1, description="How fast the momentum approaches beta1.")
    decoupled: Decoupled = False
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class RAdamSettings(Settings):
    """Adam whose adaptive part waits until its variance is small enough."""

    kind: Literal["radam"] = "radam"
    lr: LearningRate = 1e-3
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    eps: Eps = 1e-8
    decoupled: Decoupled = False
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class AdagradSettings(Settings):
    """Adagrad: each weight's rate falls with the sum of its squared gradients."""

    kind: Literal["adagrad"] = "adagrad"
    lr: LearningRate = 1e-2
    lr_decay: float = Field(
        default=0.0, ge=0, le=1, description="The learning rate is divided by 1 + steps * lr_decay."
    )
    initial_sum: float = Field(default=0.0, ge=0, le=1e6, description="Where the sum of squared gradients starts.")
    eps: Eps = 1e-10
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class RmspropSettings(Settings):
    """RMSprop: the gradient divided by a running root mean square of itself."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 1e-2
    smoothing: Beta2 = 0.99
    eps: Eps = 1e-8
    momentum: Momentum = 0.0
    centred: bool = Field(
        default=False, description="Divide by the running standard deviation instead of the root mean square."
    )
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class RpropSettings(Settings):
    """Rprop, for whole-dataset batches; it uses the gradient's sign, and a schedule acts on its first step only."""

    kind: Literal["rprop"] = "rprop"
    lr: LearningRate = 1e-2
    shrink: float = Field(
        default=0.5, gt=0, lt=1, description="What a weight's step is multiplied by when its gradient changes sign."
    )
    grow: float = Field(
        default=1.2, gt=1, le=10, description="What a weight's step is multiplied by when its gradient keeps its sign."
    )
    smallest_step: float = Field(default=1e-6, ge=0, le=1, description="Smallest step of a weight.")
    largest_step: float = Field(default=50.0, gt=1, le=1e6, description="Largest step of a weight.")


class Smorms3Settings(Settings):
    """SMORMS3: RMSprop whose memory is chosen per weight by the gradient's signal-to-noise ratio."""

    kind: Literal["smorms3"] = "smorms3"
    lr: LearningRate = 1e-3
    eps: Eps = 1e-16


class LionSettings(Settings):
    """Lion: the sign of a momentum; wants a 3 to 10 times smaller lr and larger weight decay than AdamW."""

    kind: Literal["lion"] = "lion"
    lr: LearningRate = 1e-4
    beta1: Beta1 = 0.9
    beta2: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Share of the old running mean of the gradient that is carried to the next step.",
    )
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class MuonSettings(Settings):
    """Muon for the hidden weight matrices; AdamW for embeddings, output layers, biases and norm weights."""

    kind: Literal["muon"] = "muon"
    lr: LearningRate = 0.02
    momentum: Momentum = 0.95
    nesterov: bool = Field(default=True, description="Look ahead along the momentum.")
    iterations: int = Field(default=5, ge=1, le=20, description="Newton-Schulz iterations that orthogonalise a step.")
    scale: Literal["shape", "adamw"] = Field(
        default="shape",
        description="Size of a matrix's step: 'shape' grows it for tall matrices as in the original; 'adamw' gives it "
        "AdamW's usual size, so that AdamW's lr fits.",
    )
    precision: Literal["bfloat16", "float32"] = Field(
        default="bfloat16", description="Number type inside the Newton-Schulz iterations."
    )
    leave_out: Sequence[str] = Field(
        default=("*embed*", "wte", "wpe", "head", "lm_head", "classifier"),
        description="Patterns for one word of a parameter's dotted name; matrices that match are left to AdamW.",
    )
    adamw_lr: LearningRate = 3e-4
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.95
    eps: Eps = 1e-8
    weight_decay: WeightDecay = 0.01
    decay: Decay = "matrices"


class AdafactorSettings(Settings):
    """Adafactor: the second moment of a matrix is kept as one row and one column."""

    kind: Literal["adafactor"] = "adafactor"
    lr: LearningRate = 1e-2
    beta2_decay: float = Field(
        default=-0.8,
        ge=-1,
        lt=0,
        description="Power of the step number by which the memory of the second moment grows.",
    )
    smallest_scale: float = Field(
        default=1e-3, gt=0, le=1, description="Smallest root mean square that a parameter is taken to have."
    )
    clip: float = Field(
        default=1.0, ge=1, le=1000, description="Largest root mean square of an update before the learning rate."
    )
    weight_decay: WeightDecay = 0.0
    decay: Decay = "matrices"


class AdamW8bitSettings(Settings):
    """AdamW whose two moments are kept in 8 bits; needs the extra 'compress'."""

    kind: Literal["adamw8bit"] = "adamw8bit"
    lr: LearningRate = 1e-3
    beta1: Beta1 = 0.9
    beta2: Beta2 = 0.999
    eps: Eps = 1e-8
    block_size: int = Field(
        default=256,
        ge=16,
        le=65536,
        description="Numbers that share one scale; smaller tensors and odd ones keep 32 bits.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the step of each shape of tensor: faster steps after many seconds for the first; needs a C++ compiler.",
    )
    weight_decay: WeightDecay = 0.01
    decay: Decay = "matrices"


class ConstantSettings(Settings):
    """The learning rate stays as it is, after a warm-up if wanted."""

    kind: Literal["constant"] = "constant"
    warm_up: WarmUp = 0.0


class StepSettings(Settings):
    """The learning rate falls by a multiplier after every so many steps or epochs."""

    kind: Literal["step"] = "step"
    every: Stretch = Field(description="Length between two reductions.")
    multiplier: Multiplier = 0.1
    warm_up: WarmUp = 0.0


class ExponentialSettings(Settings):
    """The learning rate falls smoothly, by a multiplier over every so many steps or epochs."""

    kind: Literal["exponential"] = "exponential"
    every: Stretch = Field(description="Length over which the learning rate falls by the multiplier.")
    multiplier: Multiplier = 0.9
    warm_up: WarmUp = 0.0


class LinearSettings(Settings):
    """The learning rate falls along a straight line to the floor at the end of the run."""

    kind: Literal["linear"] = "linear"
    floor: Floor = 0.0
    warm_up: WarmUp = 0.0


class PolynomialSettings(Settings):
    """The learning rate falls as a power of the steps that are left."""

    kind: Literal["polynomial"] = "polynomial"
    power: float = Field(default=2.0, gt=0, le=10, description="Power of the share of steps that are left.")
    floor: Floor = 0.0
    warm_up: WarmUp = 0.0


class CosineSettings(Settings):
    """The learning rate falls along half a cosine, once or with restarts."""

    kind: Literal["cosine"] = "cosine"
    restarts: int = Field(default=0, ge=0, le=1000, description="How often it starts again at the top.")
    growth: int = Field(default=1, ge=1, le=10, description="How many times longer each cycle is than the one before.")
    floor: Floor = 0.0
    warm_up: WarmUp = 0.0


class OneCycleSettings(Settings):
    """Up to the learning rate and down to almost nothing, once in the run."""

    kind: Literal["one_cycle"] = "one_cycle"
    rise: Annotated[Fraction, Field(gt=0, lt=1, description="Share of the run that rises.")] = 0.3
    start_divisor: float = Field(
        default=25.0, ge=1, le=1e9, description="The run starts at the learning rate divided by this."
    )
    final_divisor: float = Field(
        default=1e4, ge=1, le=1e9, description="The run ends at its starting rate divided by this."
    )
    shape: Literal["cosine", "linear"] = Field(default="cosine", description="Shape of both flanks.")


class WsdSettings(Settings):
    """Warm-up, a stable stretch at the full learning rate, and a cool-down at the end of the run."""

    kind: Literal["wsd"] = "wsd"
    warm_up: WarmUp = 0.01
    cool_down: Stretch = Field(
        default=0.2, description="Fall at the end: a length ('1 epochs', '100 steps') or a share of the run ('20 %')."
    )
    shape: Literal["linear", "cosine", "square_root"] = Field(
        default="square_root", description="Shape of the cool-down; 'square_root' is 1 - sqrt."
    )
    floor: Floor = 0.0


class PlateauSettings(Settings):
    """The learning rate falls by a multiplier when the watched value has stopped improving."""

    kind: Literal["plateau"] = "plateau"
    measure: Literal["loss", "accuracy"] = Field(default="loss", description="What is watched on the validation part.")
    multiplier: Multiplier = 0.1
    patience: int = Field(
        default=10, ge=0, le=10**6, description="Evaluations without improvement that are still accepted."
    )
    threshold: Annotated[
        Fraction, Field(ge=0, lt=1, description="Smallest improvement that counts, as a share of the best value.")
    ] = 1e-4
    rest: int = Field(default=0, ge=0, le=10**6, description="Evaluations after a reduction that count neither way.")
    floor: Floor = 0.0
