"""Tools for authors of probes: each tool in a line, with a question that uses it well.

A probe calls a student's code and returns numbers, text and tensors; it judges nothing. It calls
all code of a student through `attempt`, so that an exception becomes evidence.

`attempts` calls a student's code:

- `attempt(action, called)`: what `action` returns, or its exception as data (lab 1, `evaluate`).

`trainers` runs Lightning in one CPU process, silently, with nothing on disk:

- `quiet_trainer(**arguments)`: a Trainer (lab 1, `timer`).
- `make_loader(batches)`: a loader of just these batches (lab 1, `wrap`).
- `make_sample_loader(images, labels, size)`: a loader over tensors (lab 1, `evaluate`).
- `count_steps()`: counts the steps of all optimizers (lab 1, `wrap`).
- `record_trainers()`: the device arguments of Trainers that student code makes (lab 2, `converge`).
- `record_default_loggers()`: the loggers that Lightning chose unasked (lab 1, `fit`).
- `stand_in_metrics(*always)`: logs what callbacks monitor and nobody logs, so that the run goes on
  (lab 1, `fit`).
- `refuse_training()`: no Trainer runs, where student code only makes one (lab 2, `engineer`).
- `copy_tensors(state)`, `to_number(value)`: tensors and numbers as evidence (lab 1, `wrap`).
- `returned_loss(outputs)`: the loss that `training_step` returned, in a callback (lab 2,
  `schedule`).
- `logged_values(trainer)`: the values that `self.log` recorded (lab 1, `evaluate`).

`trainer_limits` reads limits that were left in a Trainer:

- `read_limits(trainer)` in the probe, `limits_left_in(seen)` in the judge (lab 2, `engineer`).

`class_bases` records the classes that a student's class derives from:

- `bases(cls)` in the probe; `derives_from(names, kind)` and `first_base(names)` in the judge
  (lab 1, `timer`).

`networks` makes networks at check time, as plain values:

- `draw_networks(rng, side)` and `draw_batch(rng, size, shape)` in `draw`; `build_network(network)`
  in probe and judge (lab 1, `wrap`).
- `draw_state(network, rng)` in `draw` (lab 1, `reload`).
- `with_weights(model, weights)` in the judge: weights of a student's network (lab 1, `fit`).
- `make_generator(rng)`: a torch generator, seeded from `draw`'s `rng` (lab 3, `unused`).

`fakes` holds modules and data that solve no question:

- `ScriptedMetricModule(values)`: logs a given `val_acc` (lab 1, `fit`).
- `NumberedDataModule()`: numbers samples, so that a module knows its source (lab 1, `fit`).
- `TensorDataModule(tensors, batch_size)`: serves given tensors (lab 1, `reload`).
- `NoOpModule()`: takes any batch (`datamodules`).

`fake_gpu` simulates a GPU:

- `run_on_fake_gpu(work)`: a Trainer trains there; a tensor that was made on the CPU raises
  (lab 1, `wrap`). `judge_gpu(seen, cost)` in the judge.

`step_lines` finds lines of a student's own code, for exceptions that name none:

- `steps_by_hand(cls)`, `lines_that_set(cls, name)` (lab 1, `wrap`; lab 3, `synced`).

`private_names` is for tools that need private names of torch and Lightning:

- `find_private(path, error)`, `replaced_private(path, value, error)`; a name that is gone raises
  the `ChangedError` of the room (`litcourse.clusters`).

`processor_limit` ends a function that computes on and on:

- `processor_limit(seconds)`; what it raises is no `Exception` (lab 5, `diagnose`).

`run_files` reads the files that a run wrote; it never executes code in a checkpoint:

- `list_files()`, `read_csv_column(run_dir, name)`, `read_csv_rows(file)`, `load_checkpoint(path)`
  (lab 2, `engineer`).
- `find_checkpoint(trainer, monitor)`, `load_weights(path)` (lab 1, `fit`).

`datamodules` is for questions on data modules: `probe_class` and the judges beside it (lab 1,
`datamodule`). `dataset_formats` writes drawn images as files of MNIST and CIFAR10.

`probe_runner` runs a probe inside `silenced`; `progress` says which step runs. A probe itself needs
none of them.

In other rooms: `litcourse.ranks.run_ranks` (lab 3, `synced`), `litcourse.scripts.run_script`
(lab 2, `script`), `litcourse.clusters.simulated_cluster` (lab 3, `kwargs`), and the tools of
`litcourse.sharding`. For the judge:
`Evidence` and `is_close` of `litcourse.core.evidence`, `distance` of `litcourse.core.comparison`,
`error_finding` and `waiting_finding` of `litcourse.core.known_errors`, `draw_curve` of
`litcourse.feedback.chart`.
"""
