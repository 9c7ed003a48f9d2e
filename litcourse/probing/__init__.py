"""What whoever writes a probe may use: each tool in a line, and a question that uses it well.

A probe calls a student's code and returns numbers, text and tensors; it judges nothing. Whatever
it calls of a student's goes through `attempt`, so that an exception becomes evidence.

`attempts`, calling a student's code:

- `attempt(action, called)`: what it returned, or its exception as data (lab 1, `evaluate`).

`trainers`, Lightning on one CPU process, silent, nothing on disk:

- `quiet_trainer(**arguments)`: a Trainer (lab 1, `timer`).
- `make_loader(batches)`: a loader of just these batches (lab 1, `wrap`).
- `make_sample_loader(images, labels, size)`: a loader over tensors (lab 1, `evaluate`).
- `count_steps()`: how many steps optimizers took meanwhile (lab 1, `wrap`).
- `record_trainers()`: what Trainers that student code makes are told (lab 2, `converge`).
- `copy_tensors(state)`, `to_number(value)`: tensors and numbers as evidence (lab 1, `wrap`).
- `returned_loss(outputs)`: what `training_step` returned, in a callback (lab 1, `wrap`).

`class_bases`, what a student's class derives from:

- `bases(cls)` in the probe; `derives_from(noted, kind)` and `first_base(noted)` in the judge
  (lab 1, `timer`).

`networks`, drawn at check time and carried as values:

- `draw_networks(rng, side)`, `draw_state(network, rng)`, `draw_batch(rng, size, shape)` in
  `draw`; `build_network(network)` in probe and judge (lab 1, `wrap`).
- `make_generator(rng)`: torch's generator out of `draw`'s source (lab 3, `unused`).

`fakes`, modules and data that solve no question:

- `ScriptedMetricModule(values)`: logs a given `val_acc` (lab 1, `fit`).
- `NumberedDataModule`: tells which samples were trained on (lab 1, `fit`).
- `TensorDataModule(tensors, batch_size)`: given tensors (lab 1, `reload`).
- `NoOpModule`: takes any batch (`datamodules`).

`fake_gpu`, a GPU that is not there:

- `run_on_fake_gpu(make, batch, step)`: finds tensors that were made on the CPU (lab 1, `wrap`).

`run_files`, what a run left behind:

- `list_files()`, `read_csv_column(run_dir, name)`, `read_csv_rows(file)` (lab 2, `engineer`).
- `find_checkpoint(trainer, monitor)`, `load_weights(path)`, `load_checkpoint(path)`: never code
  (lab 1, `fit`).

`datamodules`, questions on data modules: `probe_class` and the judges beside it (lab 1,
`datamodule`). `dataset_formats` writes drawn images as files of MNIST and CIFAR10.

`silenced` and `probe_runner` are what runs a probe; a probe is inside already.

In other rooms: `litcourse.ranks.run_ranks` (lab 3, `synced`), `litcourse.scripts.run_script`
(lab 2, `script`), `litcourse.clusters.simulated_cluster` (lab 3, `kwargs`). For the judge:
`Evidence` and `is_close` of `litcourse.core.evidence`, `distance` of `litcourse.core.comparison`,
`error_finding` and `waiting_finding` of `litcourse.core.known_errors`, `draw_curve` of
`litcourse.feedback.chart`.
"""
