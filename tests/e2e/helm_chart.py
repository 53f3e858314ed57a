"""The chart, rendered: by Helm 4 and 3, from the values in tests/helm/values; and as kubelet would lay it out."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

import harness

CHART = harness.REPO / "helm" / "tocsin"
LIBRARY = CHART / "charts" / "tocsin-lib"
CASES = harness.REPO / "tests" / "helm"
KUBERNETES = harness.REPO / "build" / "kubernetes"
HELM, HELM3, KUSTOMIZE = (str(KUBERNETES / "bin" / name) for name in ("helm", "helm3", "kustomize"))
RELEASE, NAMESPACE = "tocsin", "agents"
# Without a cluster Helm assumes one of its own version.
ASSUMED = ("--kube-version", "1.37.0")
RULES = harness.REPO / "rules"
SHIPPED = "/usr/share/tocsin/rules/packs"


class Failed(AssertionError):
    """A program ended with another status than 0."""


def run(*command, timeout=60, **options):
    """What it said on standard output; Failed with all that it said otherwise."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, cwd=harness.REPO, env=environment(), **options)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(**more):
    """No cluster and no plugin of who runs this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE", "TOCSIN_"))}
    places = [str(KUBERNETES / "bin"), str(pathlib.Path(harness.TOCSIN_BINARY).resolve().parent), kept.get("PATH", "")]
    return {**kept, "KUBECONFIG": os.devnull, "PATH": os.pathsep.join(places), **more}


def values_files():
    return sorted((CASES / "values").glob("*.yaml"))


def template(*options, helm=HELM, chart=CHART, release=RELEASE):
    """What Helm makes of the chart, as text."""
    return run(helm, "template", release, chart, "--namespace", NAMESPACE, *ASSUMED, *options)


def objects(text):
    return [each for each in yaml.safe_load_all(text) if each]


def rendered(values, *options):
    """The objects that a file of tests/helm/values gives."""
    return objects(template("--values", CASES / "values" / f"{values}.yaml", *options))


def of_kind(kind, manifest):
    return [each for each in manifest if each["kind"] == kind]


def only(kind, manifest):
    found = of_kind(kind, manifest)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} of kind {kind}")
    return found[0]


def pod_of(manifest):
    """The pod template of the workload there is."""
    return next(each for each in manifest if each["kind"] in ("Deployment", "StatefulSet"))["spec"]["template"]


def lay_out(container, volumes, config_maps, root, secrets):
    """Makes below `root` what a container finds in its pod: a folder a ConfigMap or Secret, files as links through
    `..data`.  `config_maps`: {name: {file: text}}; `secrets` likewise.  What is optional and missing is an empty folder.
    """
    by_name = {volume["name"]: volume for volume in volumes}
    for mount in container["volumeMounts"]:
        volume, place = by_name[mount["name"]], root / mount["mountPath"].lstrip("/")
        source = volume.get("configMap") or volume.get("secret")
        if source is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        content = (config_maps if "configMap" in volume else secrets).get(source.get("name") or source["secretName"])
        if content is None and not source.get("optional"):
            raise AssertionError(f"no {source}: the pod would not start")
        if "subPath" in mount:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content[mount["subPath"]], encoding="utf-8")
        else:
            swap(place, content or {}, "first")


def swap(folder, content, version):
    """What kubelet does with a volume whose ConfigMap has changed: a new folder, and `..data` points there at once."""
    inside = folder / f"..{version}"
    inside.mkdir(parents=True)
    for name, text in content.items():
        (inside / name).write_text(text, encoding="utf-8")
    link = folder / "..data_tmp"
    link.symlink_to(inside.name)
    link.rename(folder / "..data")
    for name in content:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(pathlib.Path("..data") / name)
    for old in folder.iterdir():
        if old.is_symlink() and old.name != "..data" and not old.exists():
            old.unlink()


def below(root, config):
    """tocsin.yaml with its absolute paths below `root`; the rules that come with tocsin, and what they were compiled to,
    are this machine's."""
    config = yaml.safe_load(config)
    move = lambda path: str(RULES / "packs") if path == SHIPPED else str(root / path.lstrip("/"))
    config["rules"] |= {key: [move(path) for path in config["rules"][key]] for key in ("packs", "systems")}
    config["rules"]["cache_dir"] = str(harness.BUILD_DIR / "helm-cache")
    return config


def application(folder, values):
    """A chart of somebody's application that depends on the library."""
    chart = pathlib.Path(folder) / "application"
    shutil.copytree(CASES / "application", chart)
    shutil.copytree(LIBRARY, chart / "charts" / "tocsin-lib")
    (chart / "values.yaml").write_text(json.dumps(values), encoding="utf-8")
    return chart


def with_library(**values):
    """That chart, rendered with these settings of the library."""
    with tempfile.TemporaryDirectory(prefix="tocsin-helm-") as folder:
        return template(chart=application(folder, {"tocsin": values} if values else {}), release="app")


def sidecar_of_library(**values):
    """The pod that it gives: its spec."""
    return pod_of(objects(with_library(**values)))["spec"]


def kustomized():
    """Somebody's workload with the component of kustomize."""
    return run(KUSTOMIZE, "build", CASES / "kustomize")


def spec_of_sidecar(spec):
    """What of a pod's spec is tocsin's."""
    return {"initContainers": [each for each in spec["initContainers"] if each["name"] == "tocsin"],
            "volumes": [each for each in spec["volumes"] if each["name"].startswith("tocsin-")]}
