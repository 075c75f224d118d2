import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from cifar_utils import data, models, records, training
from cifar_utils.muon import Muon

BENCHMARKS = data.PROJECT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import gpu  # noqa: E402
import gpu_claims  # noqa: E402
import gpu_runs  # noqa: E402
import gpu_speed  # noqa: E402
import gpu_steps  # noqa: E402


@pytest.fixture
def setting(tmp_path: Path) -> gpu_runs.Setting:
    """A few photographs of the sample, an epoch, a seed."""
    return gpu_runs.Setting(
        tmp_path / "out", "cpu", "sample", images=40, epochs=1, checkpoints=tmp_path / "kept"
    )


def carried_out(part: str, setting: gpu_runs.Setting) -> dict[str, Any]:
    """What a part leaves in its file."""
    gpu.carry_out(part, setting)
    told = json.loads((setting.out / f"{part}.json").read_text())
    assert told["part"] == part and told["complete"] and told["seconds"] > 0
    assert told["environment"]["device"] == "cpu"
    assert told["environment"]["torch"] == torch.__version__
    assert (told["data"], told["images"], told["epochs"]) == ("sample", 40, 1)
    return told


def test_parts_of_speed_run_on_a_processor(setting: gpu_runs.Setting) -> None:
    told = carried_out("sync", setting)
    assert told["n"] == len(told["rows"]) == 4 and not told["checked"]
    assert all(row["waits_a_step"] == 0 for row in told["rows"])
    told = carried_out("steps", setting)
    ways = [(row["way"], row["network"]) for row in told["rows"]]
    assert ways == [(way, name) for way in ("eager", "light Muon")
                    for name in ("FinalCNN", "PlainCNN")]  # fmt: skip
    assert all(row["images_per_second"] > 0 for row in told["rows"])
    told = carried_out("throughput", setting)
    assert [row["network"] for row in told["rows"]] == list(gpu_speed.NETWORKS)
    for row in told["rows"]:
        fastest = max(row["textbook"].values())
        assert row["ratio"] == pytest.approx(row["fit"] / fastest)
        share = row["fit"] * row["tflop_per_image"] / told["matrix_product_tflops"]
        assert row["roofline_share"] == pytest.approx(share) and 0 < share < 1
    told = carried_out("profile", setting)
    names = {event["name"] for row in told["rows"] for event in row["host"]}
    assert told["n"] == 2 and "aten::convolution_backward" in names


def test_parts_that_train_to_the_end_run_on_a_processor(
    setting: gpu_runs.Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = gpu_claims.claims()
    reached = {(claim.candidate.network, claim.accuracy) for claim in claims}
    assert {("FinalCNN", 0.809), ("PlainCNN", 0.915), ("FastCNN", 0.94)} < reached
    monkeypatch.setattr(gpu_claims, "claims", lambda: claims[:2])  # the wide one takes long here
    told = carried_out("times", setting)
    assert [row["network"] for row in told["rows"]] == ["FinalCNN", "FastCNN"]
    for row in told["rows"]:
        assert row["reached"] == (row[row["views"]] >= row["claim"])
        assert 0 < row["seconds"] < row["with_test_seconds"]
    told = carried_out("agreement", setting)
    low, high = told["processor"]["next_seed_95"]
    [row] = told["rows"]
    assert low < row["on_processor"] < high and not row["same_recipe_and_data"]
    record = gpu_runs.recorded("FinalCNN")
    assert gpu_claims.same(record, record)
    assert not gpu_claims.same(record, record | {"recipe": {"epochs": 1}})
    assert row["within"] == (low <= row["test"] <= high)


def test_a_killed_run_goes_on_with_the_same_weights(setting: gpu_runs.Setting) -> None:
    [row] = carried_out("resume", setting)["rows"]
    assert row["killed"] and row["went_on"] and row["same_weights"]
    assert row["largest_difference"] == row["of_a_repeat"] == 0
    assert gpu_claims.why(0, 1).startswith("the same") and "at fault" in gpu_claims.why(0.1, 0)


def test_the_search_and_the_final_seeds_are_recorded_and_kept(
    setting: gpu_runs.Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = replace(setting, candidates=("Muon", "base"))
    told = carried_out("search", setting)
    assert {row["variant"] for row in told["table"]} == {"Muon", "base"}
    assert [row["validation"] for row in told["table"]] == sorted(
        (row["validation"] for row in told["table"]), reverse=True
    )
    assert all(record["test"] == {} for record in told["records"])
    final = replace(setting, candidates=("Muon",), seeds=2, variant="Best")
    told = carried_out("final", final)
    assert [(r["variant"], r["seed"], r["profile"]) for r in told["records"]] == [
        ("Best", 0, "full"), ("Best", 1, "full")
    ]  # fmt: skip
    model = models.build("FinalCNN")
    model.load_state_dict(torch.load(setting.out / "final.pt", weights_only=True)["1"])
    images = setting.load()
    accuracy = training.evaluate(model, images.test, images)[1]
    assert accuracy == pytest.approx(told["records"][1]["test"]["accuracy"])

    results = tmp_path / "results"
    assert all("left out" in line for line in gpu.keep_all(setting.out, results))
    assert not results.exists()
    monkeypatch.setattr(data, "training_images", lambda *_: 40)
    for name in ("search", "final"):
        path = setting.out / f"{name}.json"
        path.write_text(path.read_text().replace('"name": "sample"', '"name": "cifar10"'))
    gpu.keep_all(setting.out, results)
    found = {path.relative_to(results).as_posix() for path in results.rglob("*.json")}
    assert found == {"search/07_final/Muon.seed0.json", "search/07_final/base.seed0.json",
                     "07_final/Best.seed0.json", "07_final/Best.seed1.json"}  # fmt: skip
    assert len(records.read_all(results)) == 4
    best = max(told["records"], key=lambda record: record["history"][-1]["val_accuracy"])
    kept = [path.stem for path in results.rglob("*.pt")]
    assert kept == [f"Best.seed{best['seed']}"] or len({r["history"][-1]["val_accuracy"] for r in
                                                       told["records"]}) == 1  # fmt: skip


def test_a_part_stops_when_its_time_is_up_and_goes_on_in_the_next_call(
    setting: gpu_runs.Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = replace(setting, candidates=("Muon",), epochs=3)
    clock = iter([*[0.0] * 2, *[2.0] * 99])  # before the first epoch, the second, the third, …
    monkeypatch.setattr(gpu_runs.time, "time", lambda: next(clock))
    gpu.carry_out("search", replace(setting, until=1.0))
    told = json.loads((setting.out / "search.json").read_text())
    assert told["n"] == 0 and told["left"] == 1 and not told["complete"]
    [stopped] = told["stopped"]
    assert len(stopped["history"]) == 2 and stopped["stopped"] == "Muon, seed 0"
    monkeypatch.undo()
    gpu.carry_out("search", setting)
    [record] = json.loads((setting.out / "search.json").read_text())["records"]
    assert len(record["history"]) == 3
    assert record["history"][:2] == stopped["history"]


def test_wrong_words_are_refused_in_a_sentence(tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        result = CliRunner().invoke(gpu.main, [*words, "--out", str(tmp_path), "--device", "cpu"])
        assert result.exit_code == 2
        return result.output

    assert "unknown part speed; there are: sync, steps, " in refused("sync", "speed")
    assert "unknown magic; there are: base, " in refused("search", "--candidate", "magic")
    assert "final needs one --candidate" in refused("final")
    assert not list(tmp_path.iterdir())


def matrices() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 3, 3, 3), (10, 20), (6,), (8,)]
    return [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in shapes]


@pytest.mark.parametrize("rate", [float, torch.tensor])
def test_light_muon_moves_every_weight_as_muon_does(rate: Callable[[float], Any]) -> None:
    moved = []
    for kind, lr in ((Muon, 0.02), (gpu_steps.LightMuon, rate(0.02))):
        params, generator = matrices(), torch.Generator().manual_seed(1)
        groups = [{"params": params[:2], "weight_decay": 0.3}, {"params": params[2:]}]
        optimizer = kind(groups, lr, momentum=0.9)
        for _ in range(3):
            for p in params:
                p.grad = torch.randn(p.shape, generator=generator)
            optimizer.step()
        moved.append(params)
    for mine, theirs in zip(*moved, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(moved[0][0], matrices()[0], atol=1e-3)


def test_the_script_needs_no_library_that_a_machine_with_pytorch_may_lack() -> None:
    lacking = ["papermill", "nbformat", "nbclient", "jupyter_client", "ipykernel", "torchsummary",
               "seaborn", "jinja2", "filelock", "distributed"]  # fmt: skip
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({lacking})); "
        f"sys.path.insert(0, {str(BENCHMARKS)!r}); import gpu; gpu.main(['--help'])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "Run PARTS, in this order" in result.stdout


def test_a_task_that_fails_is_told_and_the_others_go_on(setting: gpu_runs.Setting) -> None:
    base, muon = (gpu_runs.read_candidates(gpu_runs.CANDIDATES, "07_final")[name]
                  for name in ("base", "Muon"))  # fmt: skip
    names = {"notebook": "07_final", "profile": "search"}
    tasks = [
        gpu_runs.Task(gpu_runs.seeded(each, 0, setting), names | {"variant": each.name}, test=False)
        for each in (replace(base, options={"width": "two"}), muon)
    ]
    *_, told = gpu_runs.gathered(setting, tasks)
    assert told["n"] == 1 and told["records"][0]["variant"] == "Muon"
    assert told["stopped"][0]["stopped"] == "base, seed 0" and told["stopped"][0]["error"]
