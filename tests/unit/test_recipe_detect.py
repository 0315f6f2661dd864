import pytest

from zbuild.frontend.load import open_catalog
from zbuild.frontend.recipe.detect import RULES, Rule, detect_recipe


@pytest.mark.parametrize(
    ("names", "recipe"),
    [
        ("package.json index.js", "node22"),
        ("package.json package-lock.json Dockerfile.dev", "node22"),
        ("package.json bun.lockb", "bun"),
        ("package.json bun.lock", "bun"),
        ("package.json deno.json", "deno"),
        ("deno.jsonc main.ts", "deno"),
        ("Cargo.toml Cargo.lock src", "rust"),
        ("Cargo.toml package.json", "node22"),
        ("requirements.txt", "python313"),
        ("pyproject.toml", "python313"),
        ("setup.py", "python313"),
        ("go.mod main.go", "go"),
        ("go.mod requirements.txt", "python313"),
        ("Shop.sln", "windows-servercore"),
        ("shop.csproj Program.cs", "windows-servercore"),
        ("shop.vcxproj", "windows-servercore"),
        ("shop.exe", "windows-nanoserver"),
        ("shop.exe Shop.sln", "windows-servercore"),
        ("Cargo.toml cargo-component.toml", "wasm"),
        ("requirements.txt componentize-py.config", "wasm"),
    ],
)
def test_the_files_of_a_folder_tell_its_recipe(names: str, recipe: str) -> None:
    found = detect_recipe(names.split())
    assert found is not None
    assert found.recipe == recipe
    assert found.file in names.split()


@pytest.mark.parametrize(
    "names", ["", "readme.md", "Package.json", "shop.exe run.sh", "shop.exe Makefile", "my-go.mod"]
)
def test_other_folders_tell_nothing(names: str) -> None:
    assert detect_recipe(names.split()) is None


def test_own_rules_come_first() -> None:
    own = [Rule("shop", ("shop.*",))]
    assert detect_recipe(["package.json", "shop.toml"], own) == ("shop", "shop.toml")
    assert detect_recipe(["package.json"], own) == ("node22", "package.json")


def test_the_recipes_say_the_same(tmp_path) -> None:
    told = {recipe.name: recipe.detect for recipe in open_catalog(tmp_path).recipes() if recipe.detect}
    assert told == {rule.recipe: rule.files for rule in RULES if rule.recipe != "wasm"}
