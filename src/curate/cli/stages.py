"""``curate stages``: what there is to run."""

from curate.cli.options import JsonOption


def stages(json: JsonOption = False) -> int:
    """List the stages: what each needs, adds and can give as a reason.

    \b
    Examples:
      curate stages
      curate stages --json
    """
    from curate.cli.display.stages import show_stages

    return show_stages(json=json)
