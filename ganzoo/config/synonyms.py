"""What other tools call what can be set here: the words that people type first, and what they mean."""

RATES = "--set generator.lr=2e-4 --set discriminator.lr=2e-4"
BETAS = "--set generator.betas=[0.0,0.9] --set discriminator.betas=[0.0,0.9]"

SYNONYMS = {
    "lr learning_rate rate": RATES,
    "lr_g g_lr glr lr_generator": "--set generator.lr=2e-4",
    "lr_d d_lr dlr lr_discriminator": "--set discriminator.lr=2e-4",
    "beta1 beta2 betas b1 b2 adam_betas": BETAS,
    "optimizer optim": "--set generator.optimizer=adam --set discriminator.optimizer=adam",
    "epochs epoch n_epochs num_epochs max_epochs niter nimg": "--steps N, or --kimg N for thousands of images",
    "iterations iters iter max_iter max_iters max_steps n_iter num_steps total_steps total_iters": "--steps N",
    "resolution res image_size img_size imsize imagesize height width_px": "--size PIXELS",
    "batch_size batchsize bs bsz": "--batch N",
    "gradient_accumulation accumulate_steps grad_accum": "--accumulate N",
    "loss criterion gan_mode adv_loss": "--set loss=NAME; ganzoo models show MODEL names its own",
    "architecture arch network net backbone": "--set architecture=NAME",
    "lambda_gp gp_weight gp_lambda lambda lambd gp": "--set penalties.gradient-penalty.weight=10",
    "gamma r1 r1_gamma r1_weight lambda_r1": "--set penalties.r1.weight=10",
    "n_critic ncritic critic_iters d_steps n_dis disc_iters num_d_steps": "--set critic_steps=5",
    "clip clip_value weight_clip": "--model wgan --set options.clip=0.01",
    "latent_dim latent nz z_dim zdim dim_z noise_dim": "--set options.latent_dim=128",
    "width ngf ndf channels ch base_channels n_feat features_g": "--set options.width=64",
    "ema ema_decay ema_beta": "--set ema_kimg=5, the average's half-life in thousands of images",
    "augmentation aug diffaug diffaugment ada": "--augment diffaugment, or --augment ada",
    "hflip mirror horizontal_flip random_flip": "--flip",
    "fp16 amp bf16 mixed_precision half dtype": "--precision bf16",
    "compile torch_compile": "--executor compile",
    "gpu gpus cuda gpu_ids devices": "--device cuda:0; for several: torchrun --nproc-per-node N -m ganzoo train …",
    "workers num_workers n_workers threads": "--set threads=N",
    "dataset dataroot data_dir data_path datadir train_dir input": "--data PATH",
    "output out outdir output_dir save_dir logdir log_dir exp_dir results_dir o": "--runs DIR",
    "experiment exp exp_name run_name project": "--name NAME",
    "checkpoint ckpt load continue continue_train": "--resume last, or --init-from NAME",
    "pretrained pretrained_model weights init": "--init-from NAME[:N]",
    "save_every save_interval snap snapshot": "--set checkpoint_every=N, or --set checkpoint_minutes=10",
    "sample_every sample_interval log_images": "--set preview_every=N",
    "log_every log_interval print_every print_freq display_freq": "--set report_every=N",
    "eval eval_interval fid fid_every metrics": "--eval-every STEPS",
    "early_stopping early_stop": "--patience N with --eval-every STEPS",
    "scheduler lr_scheduler lr_decay decay": "--schedule linear",
    "wandb tensorboard logger log": "--observer tensorboard",
    "random_seed manual_seed manualseed": "--seed N",
    "conditional num_classes n_classes": "--model conditional; the labels are the data's own",
    "val_split test_split validation_split split": "--set held_out=0.1",
    "overwrite force": "not needed: every training is a run, and every result a version, of its own",
}
"""Words, apart by spaces, with _ for - -> what to type."""

_MEANT = {word: meant for words, meant in SYNONYMS.items() for word in words.split()}


def meant_by(word: str) -> str | None:
    """What somebody means to type who types this option or key; None: nothing that is known."""
    return _MEANT.get(word.lstrip("-").replace("-", "_").lower())
