import pytest
from support.graphs import MemorySources, graph_of

from zbuild.base.errors import BuildFileError
from zbuild.model.image_config import HealthConfig, ImageConfig
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount
from zbuild.model.project import ImageSpec
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, FolderStep, ImageOrigin, RunStep, Selection, StageOrigin
from zbuild.plan.describe import describe
from zbuild.plan.evaluate import DEFAULT_PATH
from zbuild.plan.ports import expand_ports

REFERENCE = "reg.example/base:latest"


class AnyFile(MemorySources):
    def digest(self, origin, selection) -> str:
        return f"{origin.path} {selection.sources}"


def evaluation(text: str, base: ImageConfig | None = None, **spec):
    sources = AnyFile(bases={REFERENCE: base or ImageConfig()})
    graph = graph_of([ImageSpec("a", context="a", **spec)], {"a/Dockerfile": f"FROM {REFERENCE}\n{text}"})
    return describe(graph, sources, "fake")["a"].evaluation


def config(text: str, base: ImageConfig | None = None, **spec) -> ImageConfig:
    return evaluation(text, base, **spec).config


def steps(text: str, base: ImageConfig | None = None, **spec):
    return evaluation(text, base, **spec).steps


def test_words_see_the_bases_environment_and_what_stands_before() -> None:
    base = ImageConfig(env=(("PATH", "/bin"),))
    assert config("ENV PATH=/x:$PATH A=1\nENV A=2 B=$A", base).env == (("PATH", "/x:/bin"), ("A", "2"), ("B", "1"))


def test_the_environment_wins_over_arguments() -> None:
    assert config("ARG V=1\nENV V=2\nLABEL v=$V").labels == (("v", "2"),)


def test_an_argument_is_given_or_its_default_or_unset() -> None:
    text = "ARG V=default\nARG W\nLABEL v=$V w=${W:-none}"
    assert config(text).labels == (("v", "default"), ("w", "none"))
    assert config(text, build_args=(("V", "given"), ("W", "too"))).labels == (("v", "given"), ("w", "too"))


def test_a_global_argument_must_be_declared_again_in_the_stage() -> None:
    sources = MemorySources()
    text = "ARG V=global\nFROM scratch\nLABEL before=[$V]\nARG V\nLABEL after=[$V]"
    graph = graph_of([ImageSpec("a", context="a")], {"a/Dockerfile": text})
    labels = describe(graph, sources, "fake")["a"].evaluation.config.labels
    assert labels == (("after", "[global]"), ("before", "[]"))


def test_platform_arguments_are_there_when_declared() -> None:
    assert config("ARG TARGETOS\nLABEL os=$TARGETOS arch=[$TARGETARCH]").labels == (("arch", "[]"), ("os", "linux"))


def test_run_has_the_arguments_the_environment_and_its_own_variables() -> None:
    (run,) = steps("ARG V=1\nENV E=2\nUSER me\nRUN make all", ImageConfig(workdir="/w"))
    env = (("V", "1"), ("PATH", DEFAULT_PATH), ("E", "2"))
    assert run == RunStep(("/bin/sh", "-c", "make all"), env, "me", "/w")
    assert run.text == "RUN make all"


def test_exec_form_is_run_as_it_is() -> None:
    (run,) = steps('RUN ["echo", "$HOME"]')
    assert run.argv == ("echo", "$HOME")
    assert run.workdir == "/"


def test_shell_changes_what_comes_after_it() -> None:
    first, second = steps('RUN a\nSHELL ["/bin/ash", "-ec"]\nRUN b')
    assert first.argv == ("/bin/sh", "-c", "a")
    assert second.argv == ("/bin/ash", "-ec", "b")


def test_workdir_is_relative_to_the_one_before_and_made() -> None:
    made = evaluation("WORKDIR /a\nWORKDIR b/../c\nWORKDIR $UNSET/d")
    assert [step.path for step in made.steps if isinstance(step, FolderStep)] == ["/a", "/a/c", "/d"]
    assert made.config.workdir == "/d"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("/x", "/x"), ("/x/", "/x/"), ("x", "/w/x"), ("./", "/w/"), (".", "/w/"), ("../up/", "/up/"), ("/", "/")],
)
def test_destinations_are_absolute_and_keep_their_slash(written: str, meant: str) -> None:
    assert steps(f"COPY f {written}", ImageConfig(workdir="/w"))[0].dest == meant


def test_copy_expands_its_words() -> None:
    text = "ARG S=src U=app\nCOPY --chown=$U:$U --chmod=644 $S/*.c b /d/"
    assert steps(text)[0] == CopyStep(
        ContextOrigin("/work/a"), Selection(("src/*.c", "b")), "/d/", owner="app:app", mode="644"
    )


def test_an_entrypoint_clears_the_bases_cmd_but_not_ones_own() -> None:
    base = ImageConfig(cmd=("old",))
    assert config('ENTRYPOINT ["e"]', base).cmd is None
    assert config('CMD ["c"]\nENTRYPOINT ["e"]', base).cmd == ("c",)
    assert config("CMD run it", base).cmd == ("/bin/sh", "-c", "run it")


def test_metadata() -> None:
    made = config(
        "EXPOSE 80 53/udp 8000-8002\nVOLUME /data /data\nSTOPSIGNAL SIGINT\nUSER 1:2\nMAINTAINER Jo\n"
        "HEALTHCHECK --interval=5s --retries=2 CMD test -e /ok",
        ImageConfig(ports=("22/tcp",)),
    )
    assert made.ports == ("22/tcp", "53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp")
    assert made.volumes == ("/data",)
    assert (made.stop_signal, made.user, made.author) == ("SIGINT", "1:2", "Jo")
    assert made.health == HealthConfig(("CMD-SHELL", "test -e /ok"), interval=5 * 10**9, retries=2)
    assert config("HEALTHCHECK NONE").health == HealthConfig(("NONE",))


def test_an_images_labels_go_to_its_output_alone() -> None:
    graph = graph_of(
        [ImageSpec("a", context="a", labels=(("team", "x"),))], {"a/Dockerfile": "FROM scratch AS b\nFROM b"}
    )
    described = describe(graph, MemorySources(), "fake")
    assert described["a/b"].evaluation.config.labels == ()
    assert described["a"].evaluation.config.labels == (("team", "x"),)


def test_default_cache_mounts_are_merged_by_target() -> None:
    (run,) = steps(
        "RUN --mount=type=cache,target=/c,id=mine make",
        cache_mounts=(CacheMount("/c", "default"), CacheMount("/d")),
    )
    assert run.mounts == (CacheMount("/c", "mine"), CacheMount("/d", "/d"))


def test_the_options_of_mounts_are_expanded() -> None:
    (run,) = steps(
        "ARG A=x N=7 YES=1\nRUN --mount=type=cache,target=/$A,id=${A}y,uid=$N,mode=0$N,ro=$YES"
        " --mount=type=${T:-tmpfs},size=${N}k,target=/t --mount=type=secret,id=$A,env=$A,required=$YES make"
    )
    assert run.mounts == (
        CacheMount("/x", "xy", readonly=True, mode="07", uid=7),
        TmpfsMount("/t", 7168),
        SecretMount("x", "", "x", required=True),
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("type=$T,target=/a", "there is no mount type 'nope'"),
        ("type=cache,target=/a,uid=$T", "the mount option 'uid' is a number, not 'nope'"),
        ("type=tmpfs,target=/", "a mount cannot be at '/'"),
        ("type=cache", "a mount cannot be at '/'"),
        ("type=secret,id=$EMPTY", "a secret has no name"),
    ],
)
def test_what_is_no_mount_once_it_is_expanded_is_refused(option: str, message: str) -> None:
    with pytest.raises(BuildFileError, match=message) as caught:
        steps(f"ARG T=nope\nRUN --mount={option} make")
    assert caught.value.diagnostics[0].span.line == 3


def test_targets_are_relative_to_the_working_directory() -> None:
    _, run = steps(
        "WORKDIR /w\nRUN --mount=type=cache,target=c --mount=type=bind --mount=type=secret,id=a/b,target=s make"
    )
    assert run.mounts == (CacheMount("/w/c", "c"), BindMount("/w"), SecretMount("a/b", "/w/s"))


def test_secrets_and_agents_have_places_of_their_own() -> None:
    (run,) = steps(
        "RUN --mount=type=secret,id=a/npmrc --mount=type=secret,target=/x/name --mount=type=ssh,id=git,target=/s"
        " --mount=type=ssh --mount=type=secret,id=t,env=T,target=/t make"
    )
    assert run.mounts == (
        SecretMount("a/npmrc", "/run/secrets/npmrc"),
        SecretMount("name", "/x/name"),
        SshMount("git", "/s"),
        SshMount("default", "/run/buildkit/ssh_agent.1"),
        SecretMount("t", "/t", "T"),
    )
    assert dict(run.env)["SSH_AUTH_SOCK"] == "/s"


def test_the_first_agents_place_is_told_unless_the_stage_tells_another() -> None:
    (run,) = steps("ENV SSH_AUTH_SOCK=/own\nRUN --mount=type=ssh make")
    assert dict(run.env)["SSH_AUTH_SOCK"] == "/own"


def test_what_a_cache_begins_with_comes_from_its_source() -> None:
    graph = graph_of(
        [ImageSpec("a", context="a")],
        {
            "a/Dockerfile": "FROM scratch AS seed\nFROM scratch\n"
            "RUN --mount=type=cache,target=/c,from=seed,source=/d,uid=${U:-0} x"
        },
    )
    evaluated = describe(graph, MemorySources(), "fake")["a"].evaluation
    (run,) = evaluated.steps
    assert isinstance(run, RunStep)
    assert run.mounts == (CacheMount("/c", "/c", source="seed", path="/d"),)
    assert run.origins == (("seed", StageOrigin("a/seed")),)


def test_bad_words_are_told_with_their_place() -> None:
    with pytest.raises(BuildFileError) as caught:
        config("LABEL a=b\nENV X=${Y:?missing}")
    assert str(caught.value.span) == "a/Dockerfile:3:1"
    assert "missing" in caught.value.message


@pytest.mark.parametrize("text", ["", "x", "80/icmp", "9-8", "70000", "1-", "-1", "80/"])
def test_what_is_no_port_is_refused(text: str) -> None:
    if text == "80/":
        assert expand_ports(text) == ("80/tcp",)
        return
    with pytest.raises(ValueError, match="is not a port"):
        expand_ports(text)


class AnyUrl(AnyFile):
    def remote(self, origin, pull) -> str:  # noqa: ARG002
        return f"what is at {origin.shown}"


def added(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(AnyFile, "remote", AnyUrl.remote)
    return steps(text)


def test_sources_on_other_machines_are_steps_of_their_own_in_order(monkeypatch) -> None:
    found = added("ARG U=https://h.test/u?x=1\nADD a b $U c git@h.test:r#v:d/e <<EOF /x\nEOF\n", monkeypatch)
    origins = [step.origin if isinstance(step.origin, UrlOrigin | GitOrigin) else None for step in found]
    assert origins == [
        None,
        UrlOrigin("https://h.test/u?x=1", "u"),
        None,
        GitOrigin("git@h.test:r", "v", "d/e"),
        None,
    ]
    assert [step.selection.sources for step in found] == [("a", "b"), ("u",), ("c",), ("d/e",), ()]
    assert {step.dest for step in found} == {"/x/"}
    assert [step.extract for step in found] == [True, False, True, False, True]
    assert [step.text for step in found][1] == "ADD https://h.test/u?x=1 /x"
    assert found[-1].inline == (("EOF", ""),)
    assert added("ADD https://h.test/u /x", monkeypatch)[0].dest == "/x"


@pytest.mark.parametrize(("flag", "unpacked"), [("", "L"), ("--unpack", "LU"), ("--unpack=false", "")])
def test_which_archives_are_unpacked(monkeypatch, flag, unpacked) -> None:
    local, url, git = added(f"ADD {flag} a.tar https://h.test/u.tar git://h.test/r /x/", monkeypatch)
    assert "L" * local.extract + "U" * url.extract + "G" * git.extract == unpacked


def test_a_name_at_a_url_is_no_pattern(monkeypatch) -> None:
    (step,) = added("ADD https://h.test/%5Ba%5D%2A%3F%5C /x/", monkeypatch)
    assert step.selection.sources == ("\\[a\\]\\*\\?\\\\".replace("\\]", "]"),)


def test_credentials_of_urls_are_in_no_text(monkeypatch) -> None:
    (step,) = added("ARG TOKEN=hush\nADD https://me:$TOKEN@h.test/u /x/", monkeypatch)
    assert step.origin.credentials == "me:hush"
    assert "hush" not in step.text + repr(step)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ARG U=https://h.test/u\nCOPY $U /", "ADD does"),
        ("ARG U=ftp://h.test/u\nADD $U /", "not 'ftp://'"),
        ("ARG U=a\nADD --checksum=$U $U /", "exactly one source, a URL"),
        ("ADD --keep-git-dir=false https://h.test/a.git?keep-git-dir=true /", "asks for .git"),
        ("ARG S=1\nADD --checksum=$S https://h.test/u /", "64 hex digits"),
    ],
)
def test_what_only_shows_after_expansion(text, message) -> None:
    with pytest.raises(BuildFileError, match=message):
        config(text)


def test_a_lone_here_document_is_the_script_or_a_program() -> None:
    (script,) = steps('SHELL ["/bin/ash", "-c"]\nRUN <<EOF\necho 1\nEOF\n')
    assert (script.argv, script.programs) == (("/bin/ash", "-c", "echo 1\n"), ())
    (program,) = steps("RUN <<EOF\n#!/bin/cat\n$A\nEOF\n")
    assert program.argv == ("/bin/sh", "-c", "/run/zbuild/EOF")
    assert program.programs == (("/run/zbuild/EOF", "#!/bin/cat\n$A\n"),)
    (windows,) = steps("RUN <<EOF\n#!/bin/cat\nEOF\n", os="windows")
    assert (windows.argv[-1], windows.programs) == ("#!/bin/cat\n", ())


def test_here_documents_of_a_copy_see_the_stages_variables() -> None:
    (step,) = steps("ARG V=1\nCOPY <<a <<'b' /x/\n$V\na\n$V\nb\n")
    assert step.inline == (("a", "1\n"), ("b", "$V\n"))
    assert step.text == "COPY <<a <<b /x/"


def test_what_the_base_stored_comes_first_and_is_not_stored_again() -> None:
    base = ImageConfig(onbuild=("ENV A=1", "COPY --from=reg.example/other /a /b"))
    found = evaluation("ENV A=2$A\nONBUILD RUN <<EOF\n$A\nEOF\n", base)
    assert found.config.env == (("PATH", DEFAULT_PATH), ("A", "21"))
    assert found.config.onbuild == ("RUN <<EOF\n$A\nEOF",)
    assert isinstance(found.steps[0].origin, ImageOrigin)


@pytest.mark.parametrize("trigger", ["FROM x", "NONSENSE", "COPY a", "COPY --from=0 /a /b", "COPY --from=UP:1 /a /b"])
def test_a_base_that_stored_what_cannot_be_is_told_at_from(trigger) -> None:
    with pytest.raises(BuildFileError) as caught:
        evaluation("", ImageConfig(onbuild=(trigger,)))
    assert caught.value.span.line == 1


def test_triggers_of_a_stage_built_here() -> None:
    text = "FROM scratch AS a\nONBUILD COPY --from=c /x /y\nFROM scratch AS c\nFROM a\nLABEL a=b"
    graph = graph_of([ImageSpec("i", context="i")], {"i/Dockerfile": text})
    found = describe(graph, AnyFile(), "fake")
    (step,) = found["i"].evaluation.steps
    assert step.origin.vertex == "i/c"
    assert found["i/a"].evaluation.config.onbuild == ("COPY --from=c /x /y",)
    assert found["i"].evaluation.config.onbuild == ()


def test_an_image_whose_base_sets_no_path_has_the_usual_one() -> None:
    assert config("ENV PATH=/foo:$PATH").env == (("PATH", f"/foo:{DEFAULT_PATH}"),)


def test_a_folder_that_workdir_makes_is_the_current_users() -> None:
    assert [step.user for step in steps("WORKDIR /a\nUSER bob\nWORKDIR /home/bob/app")] == ["", "bob"]


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("8080:80", ("80/tcp",)),
        ("127.0.0.1:53:53/udp", ("53/udp",)),
        ("[::1]::80", ("80/tcp",)),
        ("80-81:90-91", ("90/tcp", "91/tcp")),
    ],
)
def test_addresses_and_host_ports_of_expose_are_dropped(written: str, ports: tuple[str, ...]) -> None:
    assert config(f"EXPOSE {written}").ports == ports


@pytest.mark.parametrize("signal", ["SIGTERM", "term", "9", "SIGRTMIN+3"])
def test_a_signal_is_kept_as_it_is_written(signal: str) -> None:
    assert config(f"STOPSIGNAL {signal}").stop_signal == signal


@pytest.mark.parametrize("signal", ["nope", "0", "-1", "SIGSIGTERM", "$NONE"])
def test_what_is_no_signal_is_refused(signal: str) -> None:
    with pytest.raises(BuildFileError, match="is not a signal"):
        config(f"STOPSIGNAL {signal}")
