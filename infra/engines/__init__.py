"""The real engines on one machine, without containers: fetch, configure, start, probe, stop.

An engine is one small module that satisfies `infra.engines.engine.Engine`; everything that is
the same for all of them (processes, ports, locks, what survives a restart) is in `lifecycle`.
Engines listen on 127.0.0.1 alone and are meant for tests and trials: production runs the
vendors' own packages.
"""
