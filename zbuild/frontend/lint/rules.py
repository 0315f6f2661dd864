"""The rules, as rows of one table. Names and their meaning are those of BuildKit's build checks (docs.docker.com)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from zbuild.base.dataclass import dataclass
from zbuild.frontend.lint import stage_rules, statement_rules

if TYPE_CHECKING:
    from zbuild.frontend.lint.subject import Check

_PAGES = "https://docs.docker.com/go/dockerfile/rule/"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. An `experimental` one is checked only where it is asked for. `description` says what is wanted."""

    name: str
    description: str
    check: Check
    experimental: bool = False
    severity: Literal["warning"] = "warning"

    @property
    def url(self) -> str:
        """The page that explains the rule."""
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", self.name)
        return f"{_PAGES}{'-'.join(words).lower()}/"


RULES = (
    Rule("StageNameCasing", "Stage names are in lower case", statement_rules.stage_name_casing),
    Rule("FromAsCasing", "`AS` is in the same case as its `FROM`", statement_rules.from_as_casing),
    Rule("NoEmptyContinuation", "No empty lines inside an instruction", statement_rules.no_empty_continuation),
    Rule(
        "ConsistentInstructionCasing",
        "All instructions of a file are in the same case, upper or lower",
        statement_rules.consistent_instruction_casing,
    ),
    Rule("DuplicateStageName", "Each stage has a name of its own", statement_rules.duplicate_stage_name),
    Rule("ReservedStageName", "No stage is called `context` or `scratch`", statement_rules.reserved_stage_name),
    Rule(
        "JSONArgsRecommended",
        "CMD and ENTRYPOINT are lists, so that the command gets the signals; or SHELL says what is meant",
        stage_rules.json_args_recommended,
    ),
    Rule("MaintainerDeprecated", "A label names the author, not MAINTAINER", statement_rules.maintainer_deprecated),
    Rule(
        "UndefinedArgInFrom",
        "FROM uses ARGs that are declared before the first FROM",
        stage_rules.undefined_arg_in_from,
    ),
    Rule("WorkdirRelativePath", "The first WORKDIR of a build is absolute", stage_rules.workdir_relative_path),
    Rule("UndefinedVar", "Variables are set before they are used", stage_rules.undefined_var),
    Rule(
        "MultipleInstructionsDisallowed",
        "One CMD, one ENTRYPOINT and one HEALTHCHECK in a stage: only the last counts",
        statement_rules.multiple_instructions_disallowed,
    ),
    Rule(
        "LegacyKeyValueFormat",
        "ENV and LABEL are written `name=value`",
        statement_rules.legacy_key_value_format,
    ),
    Rule(
        "RedundantTargetPlatform",
        "FROM without `--platform=$TARGETPLATFORM`, which is the default",
        stage_rules.redundant_target_platform,
    ),
    Rule(
        "SecretsUsedInArgOrEnv",
        "No secrets in ARG and ENV, judged by their names",
        stage_rules.secrets_used_in_arg_or_env,
    ),
    Rule(
        "InvalidDefaultArgInFrom",
        "The defaults of global ARGs make a base that is an image reference",
        stage_rules.invalid_default_arg_in_from,
    ),
    Rule(
        "FromPlatformFlagConstDisallowed",
        "`FROM --platform` is no constant, unless the stage's name says so",
        stage_rules.from_platform_flag_const_disallowed,
    ),
    Rule(
        "CopyIgnoredFile",
        "COPY and ADD take nothing that the context's ignore file leaves out",
        stage_rules.copy_ignored_file,
    ),
    Rule(
        "InvalidDefinitionDescription",
        "A comment right above a named stage or an ARG begins with its name",
        statement_rules.invalid_definition_description,
        experimental=True,
    ),
    Rule("ExposeProtoCasing", "Protocols of EXPOSE are in lower case", stage_rules.expose_proto_casing),
    Rule("ExposeInvalidFormat", "EXPOSE has no addresses and host ports", stage_rules.expose_invalid_format),
)
"""Every rule, in BuildKit's order."""
