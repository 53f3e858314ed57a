"""What deploy/ has for machines without Kubernetes hangs together: compose, the systemd unit, the image's bill of
materials.  The image itself: test_image.py (./dev image).

    python3 -m unittest tests/e2e/test_deploy.py     (./dev test does it)
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import processes

DEPLOY = harness.REPO / "deploy"
STOP_LIMIT_S = 10  # tocsin drains, delivers, commits and leaves within that
EXPOSURE_MAX = 2.0  # of 10, as systemd-analyze reckons; its network and its users make up the rest


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=60, **options)


class ComposeTest(unittest.TestCase):
    def setUp(self):
        self.text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")

    def test_what_compose_mounts_is_there(self):
        mounted = re.findall(r"[\s\"](\.{1,2}/[\w./-]+):/", self.text)
        self.assertGreater(len(mounted), 6)
        self.assertEqual([], [place for place in mounted if not (DEPLOY / place).exists()])
        for image in re.findall(r"image: (\S+)", self.text):
            self.assertRegex(image, r"^[\w./-]+:v?\d+\.\d+\.\d+$", "a tag, and none that moves")
        for ports in re.findall(r"ports: \[(.*)\]", self.text):
            self.assertRegex(ports, r'^"127\.0\.0\.1:', "nothing here has a password")
        grace = int(re.search(r"stop_grace_period: (\d+)s", self.text)[1])
        self.assertGreater(grace, STOP_LIMIT_S)

    def test_compose_makes_the_topics_of_the_configuration(self):
        made = set(re.findall(r"^create (\S+)", (DEPLOY / "compose" / "topics.sh").read_text(encoding="utf-8"), re.MULTILINE))
        config = (DEPLOY / "tocsin.yaml").read_text(encoding="utf-8")
        section = re.search(r"^topics:\n((?:  .*\n)+)", config, re.MULTILINE)[1]
        named = set(re.findall(r"^  \w+: \[?([a-z]+\.[a-z.-]+)", section, re.MULTILINE))
        named |= set(re.findall(r"TOCSIN_TOPICS_\w+: (\S+)", self.text))
        self.assertGreater(len(named), 5)
        self.assertEqual(named, made)

    def test_the_configuration_of_compose_is_one(self):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        environment |= dict(re.findall(r"(TOCSIN_\w+): (\S+)", self.text))
        done = run(harness.TOCSIN_BINARY, "check", "--config", DEPLOY / "tocsin.yaml", env=environment)
        self.assertEqual(0, done.returncode, done.stderr)


class UnitTest(unittest.TestCase):
    def setUp(self):
        self.text = (DEPLOY / "tocsin.service").read_text(encoding="utf-8")

    def test_the_unit_stops_in_time_and_gives_up_on_mistakes(self):
        self.assertGreater(int(re.search(r"^TimeoutStopSec=(\d+)$", self.text, re.MULTILINE)[1]), STOP_LIMIT_S)
        self.assertIn("\nRestartPreventExitStatus=2\n", self.text)
        self.assertIn("\nLoadCredential=", self.text)

    def test_systemd_accepts_the_unit_and_finds_it_confined(self):
        if not processes.find_program("systemd-analyze"):
            self.skipTest("there is no systemd-analyze here")
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "tocsin.service"
            unit.write_text(self.text.replace("/usr/bin/tocsin", harness.TOCSIN_BINARY), encoding="utf-8")
            done = run("systemd-analyze", "verify", "--man=no", unit)
            self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))
            done = run("systemd-analyze", "security", "--offline=yes", "--no-pager",
                       f"--threshold={EXPOSURE_MAX * 10:.0f}", unit)
            said = done.stdout.strip().splitlines()[-1:]
            self.assertEqual(0, done.returncode, said)
            score = re.search(r"(\d+\.\d+)", said[0])[1]
        print(f"figures: systemd unit: exposure {score} of 10", flush=True)


class BillTest(unittest.TestCase):
    STATUS = ("Package: libssl3t64\nStatus: install ok installed\nMaintainer: Debian OpenSSL Team <p@example.org>\n"
              "Architecture: amd64\nSource: openssl (3.5.1-1)\nVersion: 3.5.1-1+b1\nDescription: words\n Version: 9\n\n"
              "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
              "Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 2026a-1\n")

    def bill(self, status):
        with tempfile.TemporaryDirectory() as folder:
            files = {"status": status, "built-with": "nlohmann-json3-dev 3.11.3-2 all\n",
                     "project": "project(tocsin VERSION 1.2.3 LANGUAGES CXX)\n"}
            options = []
            for name, text in files.items():
                file = pathlib.Path(folder) / name
                file.write_text(text, encoding="utf-8")
                options += [f"--{name}", file]
            return run(sys.executable, DEPLOY / "image" / "sbom.py", *options,
                       env={**os.environ, "SOURCE_DATE_EPOCH": "1795969630"})

    def test_the_bill_names_what_is_installed(self):
        done = self.bill(self.STATUS)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(done.stdout, self.bill(self.STATUS).stdout, "the same input gives the same bytes")
        bill = json.loads(done.stdout)
        self.assertEqual("SPDX-2.3", bill["spdxVersion"])
        self.assertEqual("2026-11-29T16:27:10Z", bill["creationInfo"]["created"])
        packages = {package["name"]: package for package in bill["packages"]}
        self.assertEqual({"tocsin", "libssl3t64", "tzdata", "nlohmann-json3-dev"}, packages.keys())
        self.assertEqual("1.2.3", packages["tocsin"]["versionInfo"])
        self.assertEqual("3.5.1-1+b1", packages["libssl3t64"]["versionInfo"])
        self.assertEqual("Organization: Debian OpenSSL Team", packages["libssl3t64"]["supplier"])
        self.assertEqual("pkg:deb/debian/libssl3t64@3.5.1-1%2Bb1?arch=amd64&upstream=openssl",
                         packages["libssl3t64"]["externalRefs"][0]["referenceLocator"])
        ids = {package["SPDXID"] for package in bill["packages"]} | {"SPDXRef-DOCUMENT"}
        self.assertEqual(len(bill["packages"]) + 1, len(ids))
        relations = {(one["spdxElementId"], one["relationshipType"], one["relatedSpdxElement"])
                     for one in bill["relationships"]}
        self.assertEqual(set(), {one for relation in relations for one in relation[::2]} - ids)
        self.assertIn((packages["nlohmann-json3-dev"]["SPDXID"], "BUILD_DEPENDENCY_OF", "SPDXRef-tocsin"), relations)

    def test_an_empty_image_is_no_bill(self):
        self.assertNotEqual(0, self.bill("").returncode)


if __name__ == "__main__":
    unittest.main(verbosity=2)
