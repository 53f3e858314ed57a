"""The Debian package in a system of its own, as this one is: installed with what it depends on, tried, upgraded, purged.

    ./dev package --try        (not part of ./dev test: it fetches a Debian)

Environment: PACKAGE, the .deb; INSTALL_MIRROR, where the Debian comes from (default: deb.debian.org).
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import processes

CONFIG = "/etc/tocsin/tocsin.yaml"


def suite():
    """What this system calls itself; the package is for that."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
    return release.get("ID"), release.get("VERSION_CODENAME")


def missing():
    """Why this cannot be tried here; None: it can."""
    if not os.environ.get("PACKAGE"):
        return "PACKAGE is not set; ./dev package --try"
    if suite()[0] != "debian":
        return "not Debian: what the package is for cannot be made here"
    if os.geteuid() != 0:
        return "not root: the package is installed in a chroot"
    return None if processes.find_program("mmdebstrap") else "there is no mmdebstrap"


def run(*command, timeout=120, **options):
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False, **options)


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := missing():
            raise unittest.SkipTest(reason)
        cls.package = pathlib.Path(os.environ["PACKAGE"]).resolve()
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        mirror = [mirror] if (mirror := os.environ.get("INSTALL_MIRROR")) else []
        done = run("mmdebstrap", "--variant=apt", "--include=man-db", suite()[1], cls.root, *mirror, timeout=900)
        if done.returncode:
            raise AssertionError(done.stdout[-4000:])
        shutil.copy(cls.package, cls.root / "tmp" / "tocsin.deb")
        done = cls.inside("apt-get", "--quiet", "update")
        if done.returncode:
            raise AssertionError(done.stdout[-4000:])
        cls.before = cls.files()

    @classmethod
    def inside(cls, *command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
                       "HOME": "/root", **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}}
        return run("unshare", "--mount", "sh", "-c", 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', cls.root, *command,
                   timeout=900, env=environment)

    @classmethod
    def files(cls):
        """What of a system a package could leave behind: all but what apt, dpkg, man and the linker keep for themselves."""
        kept = re.compile(r"/(proc|tmp|root|var/lib/(apt|dpkg)|var/cache/(apt|man|debconf|ldconfig)|var/log)(/|$)|"
                          r"/etc/ld\.so\.cache$|/var/lib/systemd/deb-systemd-helper")
        found = set()
        for folder, folders, names in os.walk(cls.root):
            inside = "/" + str(pathlib.Path(folder).relative_to(cls.root)) if folder != str(cls.root) else ""
            folders[:] = [name for name in folders if not kept.search(f"{inside}/{name}")]
            found |= {f"{inside}/{name}" for name in [*folders, *names] if not kept.search(f"{inside}/{name}")}
        return found

    def succeed(self, *command):
        done = self.inside(*command)
        self.assertEqual(0, done.returncode, f"{command}: {done.stdout[-4000:]}")
        return done.stdout

    def test_installed_tried_upgraded_and_purged(self):
        said = self.succeed("apt-get", "install", "--yes", "--no-install-recommends", "/tmp/tocsin.deb")
        self.assertNotIn("warning", said.lower())
        version = self.succeed("dpkg-query", "--show", "--showformat", "${Version}", "tocsin")
        self.assertTrue(self.succeed("tocsin", "--version").startswith(f"tocsin {version.partition('-1+')[0].replace('~', '-')} ("))
        self.assertRegex(self.succeed("tocsin", "check"), r"^ok: \d{3} rules \(\d+ examples passed\), \d+ detectors, [1-9]")
        self.assertRegex(self.succeed("tocsin", "check", "--config", CONFIG), r"^ok: \d{3} rules")
        self.assertEqual("/usr/share/man/man1/tocsin.1.gz\n", self.succeed("man", "--where", "tocsin"))
        self.assertIn("tocsin - runtime monitoring", re.sub(r"\s+", " ", self.succeed("man", "--pager=cat", "tocsin")))
        self.assertEqual([], list((self.root / "etc/systemd/system").rglob("tocsin*")), "nobody has enabled it")

        # What an administrator writes outlives upgrades and removal; the package has no say in it.
        (self.root / CONFIG.lstrip("/")).write_text("# ours\n", encoding="utf-8")
        self.succeed("dpkg", "--install", "/tmp/tocsin.deb")
        self.succeed("apt-get", "remove", "--yes", "tocsin")
        self.assertFalse((self.root / "usr/bin/tocsin").exists())
        self.assertEqual("# ours\n", (self.root / CONFIG.lstrip("/")).read_text(encoding="utf-8"))

        self.succeed("apt-get", "install", "--yes", "--no-install-recommends", "/tmp/tocsin.deb")
        for cache in ("var/cache/tocsin", "var/cache/private/tocsin"):
            (self.root / cache).mkdir(parents=True)
            (self.root / cache / "rules.bin").touch()
        self.succeed("apt-get", "purge", "--yes", "tocsin")
        self.succeed("apt-get", "autoremove", "--purge", "--yes")
        left = self.files() - self.before - {"/var/cache/private"}
        self.assertEqual(set(), left, "purged, and yet there")
        print(f"figures: package: installed with {len(said.split('Setting up ')) - 2} others", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
