"""What Benchmarks/run measures, a subject a module. Each has `measure(bench)`, which adds its figures to
`bench.figures`; peers take turns with msorch in the same minute on the same disk."""
