"""The chart without a cluster: what it renders, what it refuses, and whether tocsin and Prometheus take it.  With an API
server: test_cluster.py.

    python3 -m unittest tests/e2e/test_helm.py                (./dev test does it, and fetches Helm)
    UPDATE_CASES=1 python3 -m unittest tests/e2e/test_helm.py GoldenTest     writes tests/helm/golden and helm/kustomize
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import harness
import helm_chart
import processes
import test_documents
from helm_chart import CASES, CHART, HELM, HELM3, of_kind, only, pod_of, rendered, run, template

UPDATE = bool(os.environ.get("UPDATE_CASES"))
DEPLOY = harness.REPO / "deploy"
PATCH = harness.REPO / "helm" / "kustomize" / "sidecar" / "patch.yaml"
SECRET = "0123456789abcdef0123456789abcdef"
# What the cluster of tests/helm/values/deployment-all.yaml has besides.
OTHERS = {"team.rules": {"empty.yaml": "rules: []\n"}, "team-profiles": {}}
STAYS_S = 5  # with no broker in reach
SEEN_S = 3  # a process that lives longer has been seen by kubelet
COMPILE_S = 120  # rules, with nothing in the cache: as long as the startup probe gives it


def shortened(text):
    """Without what other tests hold to its original: alerts and dashboards."""
    text = re.sub(r"(?ms)^(kind: PrometheusRule\n.*?^spec:\n).*?(?=^---|\Z)", r"\1  # deploy/prometheus\n", text)
    return re.sub(r"(?m)^(  [a-z]+\.json: \|\n)(?:    .*\n|\n)+", r"\1    # deploy/grafana\n", text)


class GoldenTest(unittest.TestCase):
    maxDiff = None

    def test_what_is_copied_is_as_its_original(self):
        run(sys.executable, harness.REPO / "helm" / "sync.py", "--check")

    def test_every_values_file_passes_lint(self):
        for values in helm_chart.values_files():
            for helm in (HELM, HELM3):
                with self.subTest(values.name, helm=helm):
                    run(helm, "lint", "--strict", "--namespace", "agents", "--values", values, CHART)

    def test_renders_are_as_recorded_by_either_helm(self):
        files = helm_chart.values_files()
        self.assertGreater(len(files), 4)
        for values in files:
            golden = CASES / "golden" / values.name
            with self.subTest(values.name):
                new, old = (template("--values", values, helm=helm) for helm in (HELM, HELM3))
                self.assertEqual(helm_chart.objects(new), helm_chart.objects(old), "Helm 3 makes something else")
                # The order of the objects is Helm's own.
                new = "---\n".join(sorted(re.split(r"(?m)^---\n", new.rstrip("\n") + "\n")))
                if UPDATE:
                    golden.write_text(shortened(new), encoding="utf-8")
                self.assertEqual(golden.read_text(encoding="utf-8"), shortened(new))
        self.assertEqual({each.name for each in files}, {each.name for each in (CASES / "golden").iterdir()})

    def test_the_component_of_kustomize_is_as_the_library(self):
        spec = helm_chart.sidecar_of_library()
        text = ("# Made of tocsin-lib by tests/e2e/test_helm.py (UPDATE_CASES=1); its reasons stand there.\n"
                + yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "any"},
                                  "spec": {"template": {"metadata": {"labels": {"tocsin/sidecar": "tocsin"}},
                                                        "spec": helm_chart.spec_of_sidecar(spec)}}}, sort_keys=False))
        if UPDATE:
            PATCH.write_text(text, encoding="utf-8")
        self.assertEqual(text, PATCH.read_text(encoding="utf-8"))


class RefusalTest(unittest.TestCase):
    GOOD = {"config": {"kafka": {"bootstrap.servers": "kafka:9092"}}}
    SIDECAR = {"mode": "sidecar", "config": {"kafka": {"bootstrap.servers": "kafka:9092", "group.id": "tocsin-a"},
                                             "topics": {"incidents": ""}}}
    REFUSED = [  # laid over GOOD, or over SIDECAR where that is the mode; what is said
        ({"config": {"kafka": {"bootstrap.servers": ""}}}, r"bootstrap\.servers is not set.*--set"),
        ({"config": {"kafka": {"sasl.password": "hunter2"}}},
         r"sasl\.password: no secret in clear.*sasl\.password_file: secrets/"),
        ({"config": {"kafka": {"ssl.key.pem": "---"}}}, r"ssl\.key\.pem: no secret in clear"),
        ({"config": {"kafka": {"sasl.password_file": "secrets/tocsin-kafka/password"}}},
         r"no Secret tocsin-kafka is mounted: add it"),
        ({"config": {"redaction": {"hmac_key_file": "/etc/tocsin/secrets/h/key"}}}, r"no Secret h is mounted"),
        ({"config": {"webhooks": [{"name": "soar", "url": "https://x.test", "secret_file": "secrets/s/k"}]}},
         r"webhooks soar: secret_file.*no Secret s is"),
        ({"mode": "sidecar", "config": {"kafka": {"group.id": "tocsin"}}}, r"group\.id is not set.*a group of its own"),
        ({"mode": "sidecar", "config": {"topics": {"incidents": "a.incidents"}}},
         r"config\.topics: findings, control are the topics of all"),
        ({"injection": {"enabled": True}}, r"injection\.enabled is for `mode: sidecar`"),
        ({"mode": "statefulset", "config": {"workers": 2}}, r"staticMembership needs `config\.workers: 1`"),
        ({"autoscaling": {"enabled": True}}, r"autoscaling\.partitions is not set"),
        ({"autoscaling": {"enabled": True, "minReplicas": 4, "partitions": 3}}, r"minReplicas is more than"),
        ({"mode": "sidecar", "networkPolicy": {"enabled": True}}, r"selects your applications' pods.*podsAreIsolated"),
        # By the schema: a key that is none, at each depth; a wrong type; what is no choice; beyond a limit; no name.
        ({"replica": 2}, r"additional propert.*replica"),
        ({"image": {"name": "x"}}, r"/image.*additional propert.*name"),
        ({"config": {"topic": {}}}, r"/config.*additional propert.*topic"),
        ({"config": {"rules": {"packs": ["/x"]}}}, r"/config/rules.*additional propert.*packs"),
        ({"config": {"http": {"listen": "0.0.0.0:1"}}}, r"/config/http.*additional propert.*listen"),
        ({"config": {"detectors": {"loop": {"repeats": 1}}}}, r"/config/detectors/loop.*additional propert.*repeats"),
        ({"config": {"webhooks": [{"name": "x"}]}}, r"/config/webhooks/0.*url"),
        ({"config": {"workers": "auto"}}, r"/config/workers.*want integer"),
        ({"config": {"topics": {"events": []}}}, r"/config/topics/events.*minItems"),
        ({"config": {"log": {"level": "verbose"}}}, r"/config/log/level.*'debug', 'info', 'warn', 'error'"),
        ({"config": {"kafka": {"acks": ["all"]}}}, r"/config/kafka/acks.*got array"),
        ({"mode": "daemonset"}, r"/mode.*'deployment', 'statefulset', 'sidecar'"),
        ({"replicas": "2"}, r"/replicas.*got string, want integer"),
        ({"port": 80}, r"/port.*minimum: got 80, want 1,?024"),
        ({"image": {"digest": "sha256:12"}}, r"/image/digest.*does not match pattern"),
        ({"secrets": ["Kafka_Secret"]}, r"/secrets/0.*does not match pattern"),
        ({"rules": {"packs": {"../x.yaml": "rules: []"}}}, r"invalid propertyName '\.\./x\.yaml'"),
        ({"prometheusRule": {"runbooks": "here"}}, r"/prometheusRule/runbooks.*does not match pattern"),
        ({"podMonitor": {"job": "bell"}}, r"/podMonitor/job.*does not match pattern"),
        ({"priorityClassName": "a}\nb: c"}, r"/priorityClassName.*does not match pattern"),
        ({"terminationGracePeriodSeconds": 5}, r"/terminationGracePeriodSeconds.*minimum"),
    ]

    @staticmethod
    def over(base, more):
        return {**base, **{key: RefusalTest.over(base.get(key, {}), value) if isinstance(value, dict) else value
                           for key, value in more.items()}}

    def render(self, values):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            return template("--values", file.name)

    def test_a_mistake_is_refused_and_says_what_to_do(self):
        for base in (self.GOOD, self.SIDECAR):
            self.render(base)  # so that what is refused below is the mistake
        for values, said in self.REFUSED:
            base = self.SIDECAR if values.get("mode") == "sidecar" else self.GOOD
            with self.subTest(json.dumps(values)), self.assertRaisesRegex(helm_chart.Failed, rf"(?s){said}") as caught:
                self.render(self.over(base, values))
            if "hunter2" in json.dumps(values):
                self.assertNotIn("hunter2", str(caught.exception))

    def test_all_mistakes_are_said_at_once(self):
        with self.assertRaisesRegex(helm_chart.Failed, "(?s)3 to mend.*bootstrap.*no secret in clear.*partitions"):
            self.render({"config": {"kafka": {"sasl.password": "x"}}, "autoscaling": {"enabled": True}})

    def test_the_schema_describes_every_value(self):
        schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
        values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
        self.assertEqual(set(values), set(schema["properties"]) - {"global", "tocsin-lib"})

        def walk(path, part):
            if part.get("type") == "object" and "properties" in part:
                self.assertIs(False, part.get("additionalProperties"), path)
                for name, each in part["properties"].items():
                    walk(f"{path}/{name}", each)
            if path.count("/") <= 2 and not path.startswith("/config/") and path:
                self.assertTrue(part.get("description"), f"{path} is not described")

        walk("", schema)

    def test_a_setting_of_the_library_that_is_none_is_refused(self):
        with self.assertRaisesRegex(helm_chart.Failed, r"tocsin\.configmap: there is no such setting; there are configMap"):
            helm_chart.sidecar_of_library(configmap="x")


class RunTest(unittest.TestCase):
    """What is mounted, laid out as in a pod, and the real program on it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tocsin-helm-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def layout(self, values, root=None):
        """tocsin.yaml of a render, its paths below a folder where all that is mounted stands."""
        root = root or self.root
        manifest = rendered(values)
        maps = {each["metadata"]["name"]: each["data"] for each in of_kind("ConfigMap", manifest)} | OTHERS
        if of_kind("Deployment", manifest) or of_kind("StatefulSet", manifest):
            spec = pod_of(manifest)["spec"]
            container, volumes = spec["containers"][0], spec["volumes"]
        else:
            settings = yaml.safe_load((CASES / "values" / f"{values}.yaml").read_text(encoding="utf-8"))
            spec = helm_chart.sidecar_of_library(secrets=settings.get("secrets", []))
            container = next(each for each in spec["initContainers"] if each["name"] == "tocsin")
            volumes = spec["volumes"]
        command = " ".join(container.get("command", []) + container.get("args", []))
        self.assertRegex(command, r"\brun --config /etc/tocsin/tocsin\.yaml$")
        files = {name: SECRET for name in ("password", "key", "secret", "ca.crt")}
        secrets = {volume["secret"]["secretName"]: files for volume in volumes if "secret" in volume}
        helm_chart.lay_out(container, volumes, maps, root, secrets)
        path = root / "etc" / "tocsin" / "tocsin.yaml"
        config = helm_chart.below(root, path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(config), encoding="utf-8")
        return path, config

    def test_tocsin_accepts_every_configuration(self):
        for values in helm_chart.values_files():
            with self.subTest(values.name):
                path, _ = self.layout(values.stem, self.root / values.stem)
                status, said, mistakes = harness.run_tocsin("check", "--config", path)
                self.assertEqual(0, status, mistakes)
                self.assertNotIn("warning", said + mistakes)
                wanted = 1 if values.stem in ("deployment-all", "sidecar-injected") else 0
                self.assertRegex(said, rf"\b{wanted} systems?\b", "profiles are not where they are looked for")

    def test_rules_of_ones_own_are_found(self):
        path, _ = self.layout("deployment-all")
        status, said, mistakes = harness.run_tocsin("rules", "list", "--config", path)
        self.assertEqual(0, status, mistakes)
        self.assertIn("mine.example", said)

    def test_it_stays_and_is_alive_without_brokers_and_takes_new_rules_without_a_restart(self):
        """What the probes of a sidecar rest on; then a ConfigMap changes as kubelet brings it."""
        path, config = self.layout("deployment")
        port = processes.free_port()
        config["kafka"]["bootstrap.servers"] = "127.0.0.1:1"
        config["http"]["listen"] = f"127.0.0.1:{port}"
        path.write_text(json.dumps(config), encoding="utf-8")
        with harness.TocsinProcess(path, port, self.root / "log").start(wait_ready=False) as tocsin:
            tocsin.wait_status(200, COMPILE_S, "/healthz")
            tocsin.wait_status(503, harness.READY_TIMEOUT_S, "/readyz")
            until = time.monotonic() + STAYS_S

            def stayed():
                self.assertIsNone(tocsin.process_.poll(), "it has ended")
                self.assertEqual(200, tocsin.get("/healthz")[0])
                return time.monotonic() > until

            processes.wait_until(stayed, STAYS_S + 5, "that time passes")
            before = {labels["sha256"] for labels, _ in tocsin.scrape().select("tocsin_rules_info")}
            values = yaml.safe_load((CASES / "values" / "deployment-all.yaml").read_text(encoding="utf-8"))
            helm_chart.swap(path.parent / "rules", values["rules"]["packs"], "second")

            def reloaded():
                now = {labels["sha256"] for labels, _ in tocsin.scrape().select("tocsin_rules_info")}
                return now and now.isdisjoint(before)

            processes.wait_until(reloaded, COMPILE_S, "the new rules are in force")
            self.assertTrue(tocsin.scrape().select("tocsin_findings_total", rule="mine.example", system="unknown"))
            self.assertEqual(0, tocsin.total("tocsin_config_reload_failures_total"))


class MonitoringTest(unittest.TestCase):
    def test_prometheus_accepts_the_rules_and_they_are_ours(self):
        rules = only("PrometheusRule", rendered("deployment-all"))["spec"]
        text = (DEPLOY / "prometheus" / "tocsin.rules.yaml").read_text(encoding="utf-8")
        text = text.replace("https://tocsin.invalid/runbooks", "https://git.example/runbooks")
        self.assertEqual(yaml.safe_load(text), rules)
        with tempfile.TemporaryDirectory(prefix="tocsin-helm-") as folder:
            path = pathlib.Path(folder) / "rules.yaml"
            path.write_text(yaml.safe_dump(rules), encoding="utf-8")
            run("promtool", "check", "rules", "--lint-fatal", path)

    def test_dashboards_are_ours(self):
        maps = [each for each in of_kind("ConfigMap", rendered("deployment-all"))
                if each["metadata"]["labels"].get("grafana_dashboard") == "1"]
        shipped = {path.name: path.read_text(encoding="utf-8") for path in (DEPLOY / "grafana").glob("*.json")}
        self.assertEqual({name: json.loads(text) for name, text in shipped.items()},
                         {name: json.loads(text) for each in maps for name, text in each["data"].items()})
        for each in maps:  # what `kubectl apply` keeps of an object must fit an annotation
            self.assertLess(len(json.dumps(each)), 256 << 10)

    def test_what_is_scraped_is_there(self):
        """The port of the PodMonitor is one of the pods it selects, whichever way tocsin came into them."""
        for values in ("deployment-all", "statefulset", "sidecar", "sidecar-injected"):
            manifest = rendered(values)
            monitor = only("PodMonitor", manifest)["spec"]
            if values.startswith("sidecar"):
                self.assertEqual({"tocsin/sidecar": "tocsin"}, monitor["selector"]["matchLabels"])
                pods = [pod_of(helm_chart.objects(text)) for text in (helm_chart.with_library(), helm_chart.kustomized())]
            else:
                pods = [pod_of(manifest)]
            for pod in pods:
                with self.subTest(values):
                    self.assertLessEqual(monitor["selector"]["matchLabels"].items(), pod["metadata"]["labels"].items())
                    containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
                    [tocsin] = [each for each in containers if each["name"] == "tocsin"]
                    ports = {port["name"]: port["containerPort"] for port in tocsin["ports"]}
                    others = {port.get("name") for each in containers if each is not tocsin
                              for port in each.get("ports", [])}
                    for endpoint in monitor["podMetricsEndpoints"]:
                        self.assertIn(endpoint["port"], ports)
                        self.assertNotIn(endpoint["port"], others, "the agent's own port would be scraped as tocsin's")
                        [job] = [each for each in endpoint["relabelings"] if each["targetLabel"] == "job"]
                        self.assertIn("tocsin", job["replacement"], "alerts know it by its job")
                        self.assertNotIn("drop", {each["action"] for each in endpoint["relabelings"]})

    def test_a_job_has_the_word_whatever_the_release_is_called(self):
        options = ("--set", "config.kafka.bootstrap\\.servers=k:9092,podMonitor.enabled=true,fullnameOverride=bell")
        monitor = only("PodMonitor", helm_chart.objects(template(*options)))
        self.assertEqual("tocsin/bell", monitor["spec"]["podMetricsEndpoints"][0]["relabelings"][0]["replacement"])

    def test_runbooks_find_what_the_chart_makes(self):
        manifest = rendered("deployment")
        deployment = only("Deployment", manifest)
        self.assertEqual("tocsin", deployment["metadata"]["name"])
        self.assertEqual("tocsin", pod_of(manifest)["metadata"]["labels"]["app.kubernetes.io/name"])
        self.assertEqual(9464, deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"])
        asked = "".join(path.read_text(encoding="utf-8") for path in (DEPLOY / "runbooks").glob("*.md"))
        self.assertEqual({"tocsin"}, set(re.findall(r"\b(?:deploy|deployment)/([a-z-]+)(?= |$|`)", asked, re.M)))
        selectors = set(re.findall(r"kubectl .* -l (\S+)", asked))
        self.assertEqual({"app.kubernetes.io/name=tocsin"}, selectors)


class SidecarTest(unittest.TestCase):
    def container(self, spec):
        [found] = [each for each in spec["initContainers"] if each["name"] == "tocsin"]
        return found

    def test_nothing_about_it_follows_kafka_or_holds_up_the_agent(self):
        for spec in (helm_chart.sidecar_of_library(), pod_of(helm_chart.objects(helm_chart.kustomized()))["spec"]):
            container = self.container(spec)
            self.assertEqual("Always", container["restartPolicy"])
            self.assertNotIn("startupProbe", container, "the agent would wait for it")
            self.assertNotIn("readinessProbe", container, "the agent would be taken out of service")
            self.assertEqual("/healthz", container["livenessProbe"]["httpGet"]["path"])
            for volume in helm_chart.spec_of_sidecar(spec)["volumes"]:
                source = volume.get("configMap") or volume.get("secret")
                self.assertTrue(source is None or source["optional"], f"{volume}: the agent would wait for it")
            mounted = [each["mountPath"] for each in container["volumeMounts"]]
            self.assertIn("/var/run/secrets/kubernetes.io/serviceaccount", mounted)

    def begin(self, folder, config):
        """The sidecar's own command, of this tocsin and with this configuration."""
        shell, option, line = self.container(helm_chart.sidecar_of_library())["command"]
        path = pathlib.Path(folder) / "tocsin.yaml"
        path.write_text(config, encoding="utf-8")
        for there, here in (("/etc/tocsin/tocsin.yaml", path), ("/usr/bin/tocsin", harness.TOCSIN_BINARY)):
            self.assertIn(there, line)
            line = line.replace(there, str(here))
        process = subprocess.Popen(processes.leashed([shell, option, line]), env=helm_chart.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(processes.end, process, 10)
        return process

    def test_it_is_seen_to_run_whatever_it_does_then(self):
        """Kubelet begins the agent when it has seen the sidecar run, and looks once a second."""
        with tempfile.TemporaryDirectory(prefix="tocsin-helm-") as folder:
            process, began = self.begin(folder, "kafka: {"), time.monotonic()
            self.assertEqual(2, process.wait(60))
            self.assertGreater(time.monotonic() - began, SEEN_S)
            self.assertIn("tocsin.yaml:1", process.stderr.read())

    def test_it_leaves_at_once_when_asked_before_it_began(self):
        with tempfile.TemporaryDirectory(prefix="tocsin-helm-") as folder:
            process = self.begin(folder, "kafka: {")
            # The shell has set its trap when it has begun to wait for its child.
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
            processes.wait_until(lambda: children.read_text(encoding="ascii").strip(), 10, "the shell waits")
            _, seconds = processes.end(process, 10)
            self.assertLess(seconds, SEEN_S)
            self.assertEqual("", process.stderr.read())

    def test_by_library_and_kustomize_it_is_the_same(self):
        by_library = pod_of(helm_chart.objects(helm_chart.with_library()))
        by_kustomize = pod_of(helm_chart.objects(helm_chart.kustomized()))
        self.assertEqual(helm_chart.spec_of_sidecar(by_library["spec"]), helm_chart.spec_of_sidecar(by_kustomize["spec"]))
        for pod in (by_library, by_kustomize):  # and what was there is still there
            self.assertEqual("tocsin", pod["metadata"]["labels"]["tocsin/sidecar"])
            self.assertEqual(["agent"], [each["name"] for each in pod["spec"]["containers"]])
            self.assertIn("scratch", [each["name"] for each in pod["spec"]["volumes"]])

    def test_settings_of_the_library_arrive(self):
        digest = "sha256:" + 64 * "a"
        spec = helm_chart.sidecar_of_library(
            image={"repository": "r.example/tocsin", "digest": digest}, port=9465, configMap="mine", secrets=["kafka.ca"],
            packs=["p"], systems=["s"], resources={"limits": {"memory": "256Mi"}})
        container = self.container(spec)
        self.assertEqual(f"r.example/tocsin@{digest}", container["image"])
        self.assertEqual(9465, container["ports"][0]["containerPort"])
        self.assertEqual({"limits": {"memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "128Mi"}},
                         container["resources"])
        self.assertEqual({"mine", "mine-rules", "mine-systems", "p", "s"},
                         {each["configMap"]["name"] for each in spec["volumes"] if "configMap" in each})
        self.assertEqual({each["name"] for each in container["volumeMounts"]},
                         {each["name"] for each in helm_chart.spec_of_sidecar(spec)["volumes"]})


class WorkloadTest(unittest.TestCase):
    def digest(self, *options):
        manifest = rendered("deployment-all", *options)
        return pod_of(manifest)["metadata"]["annotations"]["checksum/config"]

    def test_pods_restart_for_what_does_not_reload_and_for_nothing_else(self):
        before = self.digest()
        self.assertNotEqual(before, self.digest("--set", "config.workers=3"))
        self.assertEqual(before, self.digest("--set", "rules.packs.more\\.yaml=rules: []", "--set", "replicas=7"))
        pods = [pod_of(rendered("deployment-all", *options)) for options in ((), ("--set", "rules.systems=null"))]
        self.assertEqual(*pods)

    def test_memory_follows_the_workers(self):
        for workers, memory in ((1, "256Mi"), (2, "320Mi"), (4, "448Mi")):
            spec = pod_of(rendered("deployment", "--set", f"config.workers={workers}"))["spec"]
            self.assertEqual({"memory": memory}, spec["containers"][0]["resources"]["limits"])

    def test_a_stateful_pod_is_known_by_its_name(self):
        [each] = pod_of(rendered("statefulset"))["spec"]["containers"][0]["env"]
        self.assertEqual({"name": "TOCSIN_KAFKA_GROUP_INSTANCE_ID",
                          "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, each)

    def test_what_the_chart_believes_of_the_image_is_so(self):
        image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
        spec = pod_of(rendered("deployment"))["spec"]
        context = spec["containers"][0]["securityContext"]
        self.assertIn(f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n", image)
        self.assertIn('\nENTRYPOINT ["/usr/bin/tocsin"]\n', image)  # which the sidecar's command names
        self.assertIn("CMAKE_INSTALL_PREFIX=/usr ", image)
        config = yaml.safe_load(only("ConfigMap", rendered("deployment"))["data"]["tocsin.yaml"])
        self.assertIn("/usr/share/tocsin/rules/packs", config["rules"]["packs"])
        self.assertIn(f"65532 {config['rules']['cache_dir']} ", image)

    def test_it_may_take_as_long_as_it_needs_to_leave(self):
        self.assertGreater(pod_of(rendered("deployment"))["spec"]["terminationGracePeriodSeconds"], 10)

    def test_the_topics_that_notes_ask_for_are_those_of_compose(self):
        script = (DEPLOY / "compose" / "topics.sh").read_text(encoding="utf-8")
        made = set(re.findall(r"^create (\S+)(.*)", script, re.M))
        # Helm shows its notes without a cluster when it is asked to try.
        said = run(HELM, "install", "tocsin", CHART, "--dry-run=client", "--set", "config.kafka.bootstrap\\.servers=k:9092",
                   "--set", "config.incidents.requests=on", "--set", "config.topics.dead_letter=tocsin.dead-letter")
        notes = said.partition("NOTES:")[2]
        asked = set(re.findall(r"\$create --topic (\S+)(?: --config)?(.*)", notes))
        self.assertIn("--partitions 3 --replication-factor 3", notes)
        self.assertEqual(made, asked)
        for warned in ("not encrypted", "hmac_key_file", "names no registry", "No NetworkPolicy", "No PodMonitor",
                       "Containment is asked for on its own"):
            self.assertIn(warned, notes)


class DocumentsTest(unittest.TestCase):
    def test_commands_that_need_helm_succeed(self):
        """Blocks marked `sh helm`, run one after the other with helm and kustomize on PATH; no cluster."""
        blocks = [block for block in test_documents.blocks("sh") if block.marks == "helm"]
        self.assertGreater(len(blocks), 1)
        for block in blocks:
            for command in block.commands():
                with self.subTest(f"{block.where}: {command}"):
                    run("bash", "-euo", "pipefail", "-c", command)

    def test_values_that_are_shown_are_accepted(self):
        blocks = [block for block in test_documents.blocks("yaml") if block.marks == "values"]
        self.assertGreater(len(blocks), 1)
        for block in blocks:
            with self.subTest(block.where), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(block.text)
                file.flush()
                run(HELM, "lint", "--strict", CHART, "--values", file.name)
                self.assertTrue(helm_chart.objects(template("--values", file.name)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
