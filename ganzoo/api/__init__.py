"""The Python interface, which the command line calls, too: train, evaluate, export, load, models …"""

from ganzoo.api.evaluating import (
    best_version as best_version,
    evaluate as evaluate,
    figures as figures,
    ranked as ranked,
    report as report,
)
from ganzoo.api.generators import (
    export as export,
    export_triton as export_triton,
    export_web as export_web,
    load as load,
)
from ganzoo.api.known import (
    describe_data as describe_data,
    list_models as list_models,
    models as models,
    move_alias as move_alias,
    open_registry as open_registry,
)
from ganzoo.api.networks import (
    create as create,
    load_torch as load_torch,
)
from ganzoo.api.training import (
    plan as plan,
    train as train,
)
