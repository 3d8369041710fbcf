"""The table of contents of the product: every built-in part, by kind and name, as addresses that are imported when used."""

from __future__ import annotations

HERE = "modelwright"


def _parts(settings_module: str, **parts: str) -> dict[str, tuple[str, ...]]:
    """Write one table: name='SettingsClass module:function', where the module is below `modelwright`."""
    table: dict[str, tuple[str, ...]] = {}
    for name, line in parts.items():
        settings, function = line.split()
        table[name] = (f"{HERE}.{settings_module}:{settings}", f"{HERE}.{function}")
    return table


NETWORKS = _parts(
    "models.settings",
    cnn="Cnn models.cnn:build",
    residual="Residual models.residual:build",
    mlp="Mlp models.dense:build_mlp",
    linear="Linear models.dense:build_linear",
    rnn="Rnn models.recurrent:build",
    lstm="Lstm models.recurrent:build",
    gru="Gru models.recurrent:build",
    transformer="Transformer models.transformer:build",
    convolution="Convolution models.convolution:build",
    bag="Bag models.bag:build",
)
GENERATORS = _parts(
    "models.gan_settings",
    residual_generator="ResidualGenerator models.gan:build_residual",
    unet="UNet models.gan:build_unet",
)
DECODERS = _parts("models.decoder_settings", decoder="Decoder models.decoder:build")

BUILTIN: dict[str, dict[str, tuple[str, ...]]] = {
    # In life-cycle order; the core itself orders them by what they need and give.
    "stage": {
        name: (f"{HERE}.stages.{name}.settings:STAGE",)
        for name in (
            "tune",
            "prepare",
            "plan",
            "train",
            "compress",
            "evaluate",
            "explain",
            "audit",
            "prove_resume",
            "release",
        )
    },
    # The sections of a recipe that belong to no stage: one part, chosen by name from the kind given here, or plain settings.
    "section": {
        "task": ("choice", "task"),
        "data": ("choice", "source"),
        "model": ("choice", "model"),
        "serve": ("settings", f"{HERE}.stages.serve.settings:Serve"),
        "energy": ("settings", f"{HERE}.methods.energy.settings:Energy"),
        "encrypt": ("settings", f"{HERE}.core.vault:Encrypt"),
        "track": ("settings", f"{HERE}.engine.tracker_settings:Track"),
        "submit": ("settings", f"{HERE}.engine.queue_settings:Submit"),
    },
    "tracker": _parts(
        "engine.tracker_settings",
        tensorboard="Tensorboard engine.trackers:write_tensorboard",
        mlflow="Mlflow engine.trackers:write_mlflow",
    ),
    # What tells how much energy a stage draws; each answers nothing where it has nothing to read.
    "meter": {
        "accelerator": ("", f"{HERE}.methods.energy.accelerator:open_accelerator"),
        "processor": ("", f"{HERE}.methods.energy.processor:open_processor"),
    },
    # Everything a user can do besides running stages and that needs an inner ring.
    "action": {
        "predict": ("", f"{HERE}.stages.release.predict:predict"),
        "verify": ("", f"{HERE}.stages.release.verify:verify"),
        "signed": ("", f"{HERE}.stages.release.verify:verify_papers"),
        "serve": ("", f"{HERE}.stages.serve.run:serve"),
        "serving": ("", f"{HERE}.stages.serve.run:settings_for"),
        "keys": ("", f"{HERE}.stages.serve.keys:manage"),
        "expiring": ("", f"{HERE}.stages.serve.keys:expiring"),
        "feedback": ("", f"{HERE}.stages.serve.feedback:read_feedback"),
        "choose_rows": ("", f"{HERE}.stages.prepare.labelling:choose_rows"),
        "forget_rows": ("", f"{HERE}.stages.prepare.forgotten:forget_rows"),
        "calibrate": ("", f"{HERE}.stages.plan.calibrating:calibrate"),
        "explain_row": ("", f"{HERE}.stages.prepare.ledger:explain_row"),
        "open": ("", f"{HERE}.engine.predictor:open_predictor"),
        "answer": ("", f"{HERE}.engine.answering:answer_arrays"),
        "settle": ("", f"{HERE}.stages.plan.ledger:settle"),
        "detect": ("", f"{HERE}.sources.detect:detect"),
        "launch": ("", f"{HERE}.engine.launch:launch"),
        "launch_on_ray": ("", f"{HERE}.engine.launch_ray:launch_on_ray"),
        "join": ("", f"{HERE}.engine.crew:join"),
        "submit_to_ray": ("", f"{HERE}.engine.queue_ray:submit_to_ray"),
    },
    # Task -> the model that is trained beside every recipe of it, as the honest floor.
    "floor": {"text": ("tfidf",), "tabular": ("boosting",)},
    "input": {
        "image": ("", f"{HERE}.sources.inputs:read_images"),
        "text": ("", f"{HERE}.sources.inputs:read_texts"),
        "tabular": ("", f"{HERE}.sources.inputs:read_records"),
        "language": ("", f"{HERE}.sources.inputs:read_texts"),
        "style": ("", f"{HERE}.sources.inputs:read_photos"),
    },
    # Modality without classes -> how the stage evaluate judges a model of it, and what a release answers to an input.
    "judge": {
        "language": ("", f"{HERE}.stages.evaluate.language:judge"),
        "style": ("", f"{HERE}.stages.evaluate.style:judge"),
    },
    "teller": {
        "language": ("", f"{HERE}.stages.release.language:tell"),
        "style": ("", f"{HERE}.stages.release.style:tell"),
    },
    # Modality -> how a model of it is asked over HTTP, and what says why it answered so.
    "door": {
        "image": ("", f"{HERE}.stages.serve.pictures:build"),
        "text": ("", f"{HERE}.stages.serve.texts:build"),
        "tabular": ("", f"{HERE}.stages.serve.records:build"),
        "language": ("", f"{HERE}.stages.serve.language:build"),
        "style": ("", f"{HERE}.stages.serve.restyled:build"),
    },
    # Modality -> routes of its own, beside those that every model has.
    "routes": {"language": ("", f"{HERE}.stages.serve.openai_routes:build")},
    "explainer": dict.fromkeys(
        ("image", "text", "tabular", "language"), ("", f"{HERE}.stages.serve.occlusion:occlude")
    ),
    "task": _parts(
        "tasks.settings",
        image="Image tasks.image:build",
        text="Text tasks.text:build",
        tabular="Tabular tasks.tabular:build",
        language="Language tasks.language:build",
        style="Style tasks.style:build",
    ),
    "source": {
        **_parts("sources.samples", sample="SampleSettings sources.samples:read"),
        **_parts("sources.idx", idx="IdxSettings sources.idx:read"),
        **_parts("sources.images", images="ImagesSettings sources.images:read"),
        **_parts("sources.delimited", csv="CsvSettings sources.delimited:read"),
        **_parts("sources.jsonl", jsonl="JsonlSettings sources.jsonl:read"),
        **_parts("sources.jsonarray", json="JsonSettings sources.jsonarray:read"),
        **_parts("sources.parquet", parquet="ParquetSettings sources.parquet:read"),
        **_parts("sources.textfile", text="TextFileSettings sources.textfile:read"),
        **_parts("sources.domains", domains="DomainsSettings sources.domains:read"),
        **_parts("sources.arrays", arrays="ArraysSettings sources.arrays:read"),
        **_parts("sources.hub", hub="HubSettings sources.hub:read"),
    },
    # Source -> what reads only the rows that are drawn, where reading a row costs more than choosing it.
    "drawn": {"images": ("", f"{HERE}.sources.images:read_drawn")},
    "model": {
        **_parts(
            "models.at_once_settings",
            boosting="Boosting models.boosting:build",
            tree="Tree models.tree:build",
            logistic="Logistic models.logistic:build",
            tfidf="Tfidf models.tfidf:build",
        ),
        **_parts(
            "models.pretrained_settings",
            backbone="Backbone models.backbone:build",
            hf="HuggingFace models.hugging_face:build",
            open_weights="OpenWeights models.open_weights:build",
        ),
        **NETWORKS,
        **DECODERS,
        **GENERATORS,
    },
    # Model -> what reads the weights from outside that it begins with.
    "pretrained": {
        "backbone": ("", f"{HERE}.models.backbone:read_weights"),
        "hf": ("", f"{HERE}.models.hugging_face:read_weights"),
        "open_weights": ("", f"{HERE}.models.open_weights:read_weights"),
    },
    "layout": {
        **_parts("layouts.settings", auto="AutoLayout layouts.data:build", local="LocalLayout layouts.local:build"),
        **_parts("layouts.settings", data="DataLayout layouts.data:build"),
        **_parts("layouts.settings", sharded="ShardedLayout layouts.sharded:build"),
        **_parts("layouts.settings", tensor="TensorLayout layouts.tensor:build"),
        **_parts("layouts.settings", pipeline="PipelineLayout layouts.pipeline:build"),
    },
    # Model -> how its blocks are cut over processes, where they are.
    "pieces": {
        "decoder": ("", f"{HERE}.models.cuts:cut_decoder"),
        "open_weights": ("", f"{HERE}.models.cuts:cut_decoder"),
        "transformer": ("", f"{HERE}.models.cuts:cut_transformer"),
    },
    # Model -> how it is gone through block by block.
    "walk": {
        "decoder": ("", f"{HERE}.models.walks:walk_decoder"),
        "open_weights": ("", f"{HERE}.models.walks:walk_decoder"),
        "transformer": ("", f"{HERE}.models.walks:walk_transformer"),
    },
    # Model -> what turns the name of a parameter into the one that it has in the model outside.
    "outside_name": {"open_weights": ("", f"{HERE}.models.llama_folder:their_name")},
    # Stage -> what walks through it on tensors without memory, for the plan.
    "rehearsal": {
        "train": ("", f"{HERE}.stages.train.rehearsal:rehearse"),
        "evaluate": ("", f"{HERE}.stages.evaluate.rehearsal:rehearse"),
        # Some steps of the training, as one of several processes takes them.
        "share": ("", f"{HERE}.stages.train.share_rehearsal:rehearse_share"),
    },
    "compression": _parts(
        "methods.compression.settings",
        quantise="Quantise stages.compress.quantise:run",
        prune="Prune stages.compress.prune:run",
        low_rank="LowRank stages.compress.low_rank:run",
        distil="Distil stages.compress.distil:run",
        export="Export stages.compress.export:run",
    ),
    # Modality -> the parts that an example is cut into when it is explained, and the features that people can read in it.
    "view": {
        "image": ("", f"{HERE}.stages.explain.pictures:build"),
        "text": ("", f"{HERE}.stages.explain.texts:build"),
        "tabular": ("", f"{HERE}.stages.explain.tables:build"),
    },
    "projection": _parts(
        "methods.projection.settings",
        pca="Pca stages.explain.projections:run_pca",
        tsne="Tsne stages.explain.projections:run_tsne",
        umap="Umap stages.explain.projections:run_umap",
    ),
    "attribution": _parts(
        "methods.attribution.settings",
        occlusion="Occlusion stages.explain.agnostic:run_occlusion",
        shapley="Shapley stages.explain.agnostic:run_shapley",
        permutation="Permutation stages.explain.agnostic:run_permutation",
        integrated_gradients="IntegratedGradients stages.explain.by_gradient:run_integrated_gradients",
        grad_cam="GradCam stages.explain.by_gradient:run_grad_cam",
        attention_rollout="AttentionRollout stages.explain.by_attention:run_attention_rollout",
    ),
    "surrogate": _parts(
        "methods.surrogate.settings",
        none="NoSurrogate stages.explain.surrogate:run_none",
        tree="TreeSurrogate stages.explain.surrogate:run_tree",
        linear="LinearSurrogate stages.explain.surrogate:run_linear",
    ),
    # Model -> what shows how much each token attends to each.
    "attention": {
        "transformer": ("", f"{HERE}.models.transformer:attention_of"),
        "hf": ("", f"{HERE}.models.hugging_face:attention_of"),
    },
    # What a compressed network needs done before its weights fit: the other halves of the steps above.
    "rebuilding": {
        "widths": ("", f"{HERE}.methods.compression.channels:rebuild_widths"),
        "thin": ("", f"{HERE}.methods.compression.thin:rebuild_thin"),
        "int8": ("", f"{HERE}.methods.compression.int8:rebuild_int8"),
    },
    "optimiser": _parts(
        "methods.optimisation.settings",
        sgd="SgdSettings methods.optimisation.optimisers:build_sgd",
        adam="AdamSettings methods.optimisation.optimisers:build_adam",
        adamw="AdamWSettings methods.optimisation.optimisers:build_adamw",
        nadam="NAdamSettings methods.optimisation.optimisers:build_nadam",
        radam="RAdamSettings methods.optimisation.optimisers:build_radam",
        adagrad="AdagradSettings methods.optimisation.optimisers:build_adagrad",
        rmsprop="RmspropSettings methods.optimisation.optimisers:build_rmsprop",
        rprop="RpropSettings methods.optimisation.optimisers:build_rprop",
        smorms3="Smorms3Settings methods.optimisation.optimisers:build_smorms3",
        lion="LionSettings methods.optimisation.optimisers:build_lion",
        muon="MuonSettings methods.optimisation.optimisers:build_muon",
        adafactor="AdafactorSettings methods.optimisation.optimisers:build_adafactor",
        adamw8bit="AdamW8bitSettings methods.optimisation.optimisers:build_adamw8bit",
    ),
    "schedule": _parts(
        "methods.optimisation.settings",
        constant="ConstantSettings methods.optimisation.schedules:build_constant",
        step="StepSettings methods.optimisation.schedules:build_step",
        exponential="ExponentialSettings methods.optimisation.schedules:build_exponential",
        linear="LinearSettings methods.optimisation.schedules:build_linear",
        polynomial="PolynomialSettings methods.optimisation.schedules:build_polynomial",
        cosine="CosineSettings methods.optimisation.schedules:build_cosine",
        one_cycle="OneCycleSettings methods.optimisation.schedules:build_one_cycle",
        wsd="WsdSettings methods.optimisation.schedules:build_wsd",
        plateau="PlateauSettings engine.plateau:build",
    ),
    "low_rank": _parts(
        "methods.low_rank.settings",
        none="NoLowRank methods.low_rank.adapt:adapt_none",
        lora="Lora methods.low_rank.adapt:adapt_lora",
        svd="Svd methods.low_rank.adapt:adapt_svd",
        auto="OpenLora methods.low_rank.adapt:adapt_undecided",
    ),
    "privacy": _parts(
        "methods.privacy.settings",
        none="NoPrivacy engine.private:build_none",
        dp_sgd="DpSgd engine.private:build_dp_sgd",
    ),
    # Who plays against the model: stages.train.players makes the turns of both.
    "adversary": _parts(
        "methods.adversarial.settings",
        none="NoAdversary engine.adversarial:build_none",
        gan="Gan engine.adversarial:build_discriminators",
    ),
    # What becomes of the gains of pairs of answers; nothing where no pair is compared.
    "preference": _parts(
        "methods.preference.settings",
        none="NoPreference methods.preference.dpo:build_none",
        dpo="Dpo methods.preference.dpo:build_dpo",
    ),
    "averaging": _parts(
        "methods.optimisation.averaging_settings",
        none="NoAverage engine.averaging:build_none",
        ema="EmaSettings engine.averaging:build_ema",
        swa="SwaSettings engine.averaging:build_swa",
    ),
    "objective": {
        **_parts("engine.settings", mean="Mean engine.objectives:build_mean"),
        **_parts(
            "methods.balance.settings",
            class_weights="ClassWeightsSettings engine.objectives:build_class_weights",
            focal="FocalSettings engine.objectives:build_focal",
        ),
        **_parts(
            "methods.fairness.settings",
            reweighing="Reweighing engine.group_objectives:build_reweighing",
            group_robust="GroupRobust engine.group_objectives:build_group_robust",
        ),
    },
    "sampler": {
        **_parts("engine.settings", shuffled="ShuffledSampling engine.samplers:build_shuffled"),
        **_parts(
            "methods.balance.settings",
            balanced="BalancedSamplingSettings engine.samplers:build_balanced",
            over_sampling="OverSamplingSettings engine.class_samplers:build_over_sampling",
            under_sampling="UnderSamplingSettings engine.class_samplers:build_under_sampling",
        ),
        **_parts(
            "methods.batching.settings",
            by_length="ByLengthSettings engine.samplers:build_by_length",
            in_blocks="InBlocksSettings engine.samplers:build_in_blocks",
        ),
    },
    "resampling": _parts(
        "methods.balance.settings",
        none="NoResampling engine.resampling:keep",
        smote="SmoteSettings engine.resampling:smote",
        gan="GanRowsSettings engine.resampling:gan",
    ),
    "cleaning": _parts(
        "methods.cleaning.settings",
        z_score="ZScore stages.prepare.clean_tables:z_score",
        robust_z_score="RobustZScore stages.prepare.clean_tables:robust_z_score",
        iqr="Iqr stages.prepare.clean_tables:iqr",
        isolation_forest="IsolationForest stages.prepare.clean_tables:isolation_forest",
        schema="Schema stages.prepare.clean_tables:schema",
        duplicates="Duplicates stages.prepare.clean_contents:duplicates",
        text_quality="TextQuality stages.prepare.clean_contents:text_quality",
        scripts="Scripts stages.prepare.clean_contents:scripts",
        label_errors="LabelErrors stages.prepare.clean_labels:label_errors",
    ),
    "mixing": _parts(
        "methods.augmentation.settings",
        label_smoothing="LabelSmoothingSettings engine.mixing:build_label_smoothing",
        mixup="MixupSettings engine.mixing:build_mixup",
        cutmix="CutmixSettings engine.mixing:build_cutmix",
    ),
    "initialisation": _parts(
        "methods.optimisation.initialisation_settings",
        default="DefaultSettings methods.optimisation.initialisation:default",
        he_normal="HeNormalSettings methods.optimisation.initialisation:he_normal",
        he_uniform="HeUniformSettings methods.optimisation.initialisation:he_uniform",
        xavier_normal="XavierNormalSettings methods.optimisation.initialisation:xavier_normal",
        xavier_uniform="XavierUniformSettings methods.optimisation.initialisation:xavier_uniform",
        orthogonal="OrthogonalSettings methods.optimisation.initialisation:orthogonal",
        scaled_residual="ScaledResidualSettings methods.optimisation.initialisation:scaled_residual",
    ),
}
