"""The image, built and run where no registry and no engine are: a base of our own, buildah without privileges of a kernel
that containers want, the result run in a chroot on a read-only root as the image's own user.

    ./dev image        (not part of ./dev test: it builds everything anew in the image)

Environment, all of it optional: IMAGE_BASE, a tar file of a Debian root to begin from (else mmdebstrap makes one);
IMAGE_KEEP=1 keeps what buildah holds, base and layers, and goes on from there.
"""

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import processes

REPO = pathlib.Path(os.environ.get("REPO", pathlib.Path(__file__).resolve().parents[2])).resolve()
SUITE = "trixie"
BASE = f"localhost/debian:{SUITE}-slim"
TAG = "localhost/tocsin:test"
COMPRESSED_MAX_BYTES = 60_000_000
BUILD_TIMEOUT_S = 5400
USER = "65532"
# As a release says it; no .git comes into the image's build.
VERSION = re.search(r"project\(tocsin VERSION (\S+)", (REPO / "CMakeLists.txt").read_text(encoding="utf-8"))[1] + "-rc.7"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

# What Debian's slim images leave out.
SLIM = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*"]


def missing():
    """Why this cannot be tried here; None: it can."""
    if os.geteuid() != 0:
        return "not root: the image is run in a chroot"
    for program in ("buildah", "unshare", "setpriv", *(() if os.environ.get("IMAGE_BASE") else ("mmdebstrap",))):
        if not processes.find_program(program):
            return f"there is no {program}"
    try:
        with urllib.request.urlopen(f"http://deb.debian.org/debian/dists/{SUITE}/Release", timeout=20) as answer:
            answer.read(1)
    except OSError as error:
        return f"Debian's packages cannot be reached: {error}"
    return None


def run(*command, timeout=120, **options):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit status {done.returncode}:\n{done.stdout[-4000:]}\n"
                             f"{done.stderr[-4000:]}")
    return done.stdout


def buildah(*arguments, **options):
    return run("buildah", "--storage-driver", "vfs", *arguments, **options)


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := missing():
            raise unittest.SkipTest(reason)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-image-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.make_base()
        began = time.monotonic()
        said = buildah("build", "--isolation", "chroot", "--network", "host", "--layers", "--build-arg", f"BASE={BASE}",
                       "--build-arg", f"VERSION={VERSION}", "--build-arg", f"COMMIT={COMMIT}",
                       "--file", REPO / "deploy" / "Dockerfile", "--tag", TAG, REPO, timeout=BUILD_TIMEOUT_S)
        cls.built_s = time.monotonic() - began
        (cls.folder / "build.log").write_text(said, encoding="utf-8")
        if not os.environ.get("IMAGE_KEEP"):
            cls.addClassCleanup(buildah, "rmi", "--force", TAG)  # the last of the cleanups to be added is the first to run
        container = buildah("from", "--pull-never", TAG).strip()
        cls.addClassCleanup(buildah, "rm", container)
        cls.root = pathlib.Path(buildah("mount", container).strip())
        cls.config = json.loads(buildah("inspect", "--type", "image", TAG))["OCIv1"]["config"]

    @classmethod
    def make_base(cls):
        if os.environ.get("IMAGE_KEEP") and BASE in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return
        base = os.environ.get("IMAGE_BASE")
        if not base:
            base = cls.folder / "base.tar"
            run("mmdebstrap", "--variant=minbase", *(f"--dpkgopt=path-exclude={path}" for path in SLIM), SUITE, base,
                timeout=1200)
        container = buildah("from", "scratch").strip()
        try:
            buildah("add", "--quiet", container, base, "/")
            buildah("commit", "--quiet", container, BASE)
        finally:
            buildah("rm", container)

    def inside(self, *command):
        """The command in the image's root, read-only, as its user, without capabilities; one process, so that a signal
        reaches it."""
        script = ('mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t proc proc "$0/proc" && '
                  f'exec chroot "$0" setpriv --reuid {USER} --regid {USER} --clear-groups --bounding-set=-all '
                  '--no-new-privs -- "$@"')
        environment = dict(one.split("=", 1) for one in self.config["Env"])
        return ["unshare", "--mount", "sh", "-c", script, str(self.root), *command], environment

    def test_it_is_small_nobody_and_says_what_is_in_it(self):
        self.assertEqual(f"{USER}:{USER}", self.config["User"])
        self.assertEqual(["/usr/bin/tocsin"], self.config["Entrypoint"])
        labels = {name.rpartition(".")[2]: text for name, text in self.config["Labels"].items()}
        self.assertEqual((VERSION, COMMIT), (labels["version"], labels["revision"]))
        command, environment = self.inside("tocsin", "--version")
        self.assertEqual(f"tocsin {VERSION} (commit {COMMIT[:12]})\n", run(*command, env=environment))
        for extra in ("doc/tocsin", "man/man1/tocsin.1", "bash-completion/completions/tocsin"):
            self.assertFalse((self.root / "usr/share" / extra).exists(), extra)
        size = self.compressed()
        self.assertLess(size, COMPRESSED_MAX_BYTES)

        bill = json.loads((self.root / "usr/share/tocsin/sbom.spdx.json").read_text(encoding="utf-8"))
        listed = {(one["name"], one["versionInfo"]) for one in bill["packages"] if "-deb-" in one["SPDXID"]}
        there = run("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "--show", "--showformat",
                    "${Package} ${Version} ${db:Status-Status}\n")
        installed = {tuple(line.split()[:2]) for line in there.splitlines() if line.endswith(" installed")}
        self.assertEqual(installed, listed)
        self.assertIn("librdkafka1", {name for name, _ in listed})
        names = {one["name"] for one in bill["packages"]}
        self.assertIn("nlohmann-json3-dev", names, "what is compiled in is named")

        setuid = [path for path in self.root.glob("usr/bin/*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
        self.assertEqual([], setuid)
        self.assertFalse((self.root / "usr/bin/g++").exists())
        print(f"figures: image: built in {self.built_s:.0f} s, {size / 1e6:.1f} MB compressed, {len(listed)} packages",
              flush=True)

    def compressed(self):
        """Bytes of the root as one layer, as a registry would keep it."""
        counted = 0

        class Counter:
            def write(self, data):
                nonlocal counted
                counted += len(data)
                return len(data)

            def flush(self):
                pass

        with subprocess.Popen(["tar", "--create", "--directory", str(self.root), "."], stdout=subprocess.PIPE) as tar, \
                gzip.GzipFile(fileobj=Counter(), mode="wb", compresslevel=6) as out:
            shutil.copyfileobj(tar.stdout, out)
        self.assertEqual(0, tar.returncode)
        return counted

    def test_it_runs_as_nobody_on_a_root_it_cannot_write(self):
        command, environment = self.inside("sh", "-c", "id -u; touch /var/cache/tocsin/x /tmp/x 2>&1; exec tocsin check")
        said = run(*command, env=environment)
        self.assertTrue(said.startswith(USER), said)
        self.assertEqual(2, said.count("Read-only file system"), said)

        port = processes.free_port()
        command, environment = self.inside("tocsin", "demo", "--listen", f"127.0.0.1:{port}")
        log = self.folder / "demo.log"
        with open(log, "wb") as out:
            demo = subprocess.Popen(processes.leashed(command), stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=subprocess.STDOUT, env=environment)
        try:
            processes.wait_until(lambda: self.ready(port) or demo.poll() is not None, 120, "the demo in the image is ready")
            self.assertIsNone(demo.poll(), processes.tail(log))
            processes.wait_until(lambda: b"critical" in log.read_bytes(), 60, "the demo finds something")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                self.assertIn(b"tocsin_build_info", answer.read())
        finally:
            status, _ = processes.end(demo, 30)
        self.assertEqual(0, status, "SIGTERM reaches it, and it leaves by itself")

    @staticmethod
    def ready(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(verbosity=2)
