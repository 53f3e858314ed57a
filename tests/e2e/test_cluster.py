"""The chart against a real API server: every object is one that a cluster takes, down to the last field, in a namespace
that enforces restricted Pod Security; and the admission policy puts tocsin into pods, once.

    python3 -m unittest tests/e2e/test_cluster.py     (./dev test does it, and builds the API server)
"""

import copy
import functools
import pathlib
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import helm_chart
import processes
from api_server import PLACES, ApiServer, Refused
from helm_chart import CASES, CHART, HELM, HELM3, KUBERNETES, NAMESPACE, RELEASE, only, rendered

POLICY_TIMEOUT_S = 30  # until a policy that was made is in force
AGENT = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "labels": {"tocsin/sidecar": "tocsin"}},
         "spec": {"securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
                  "containers": [{"name": "agent", "image": "agent:1", "securityContext": {
                      "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def setUpModule():
    global folder, server
    folder = tempfile.TemporaryDirectory(prefix="tocsin-cluster-")
    unittest.addModuleCleanup(folder.cleanup)
    server = unittest.enterModuleContext(ApiServer(KUBERNETES / "bin", folder.name))
    for path in sorted((KUBERNETES / "crds").glob("*.yaml")):
        server.create(yaml.safe_load(path.read_text(encoding="utf-8")))
    for kind in ("PodMonitor", "PrometheusRule", "ScaledObject"):
        base, plural, _ = PLACES[kind]
        place = f"{base}/namespaces/default/{plural}"
        processes.wait_until(functools.partial(answers, place), POLICY_TIMEOUT_S, f"{kind} is known")
    server.create_namespace(NAMESPACE, **{"pod-security.kubernetes.io/enforce": "restricted"})


def answers(path):
    try:
        server.request("GET", path)
    except Refused:
        return False
    return True


def pod_from(template):
    """The pod that a controller makes of its template."""
    return {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template),
            "metadata": {**copy.deepcopy(template["metadata"]), "generateName": "made-"}}


class AcceptanceTest(unittest.TestCase):
    def test_every_object_of_every_render_is_accepted(self):
        seen = set()
        for values in helm_chart.values_files():
            for manifest in rendered(values.stem):
                with self.subTest(values.name, kind=manifest["kind"], name=manifest["metadata"]["name"]):
                    server.create(manifest, NAMESPACE, dry_run=True)
                seen.add(manifest["kind"])
        self.assertEqual(set(PLACES) - {"Namespace", "Pod", "CustomResourceDefinition"}, seen, "a kind that none gives")

    def test_an_unknown_field_is_not(self):
        """So that what was accepted above means something, for kinds of the API server and of others."""
        for values, kind in (("deployment", "Deployment"), ("deployment-all", "ScaledObject"),
                             ("deployment-all", "PodMonitor"), ("deployment-all", "PrometheusRule"),
                             ("sidecar-injected", "MutatingAdmissionPolicy")):
            manifest = only(kind, rendered(values))
            manifest["spec"]["replcas"] = 1
            with self.subTest(kind), self.assertRaisesRegex(Refused, "replcas"):
                server.create(manifest, NAMESPACE, dry_run=True)

    def test_the_pods_are_accepted_under_restricted(self):
        pods = [each["spec"]["template"] for values in helm_chart.values_files() for each in rendered(values.stem)
                if each["kind"] in ("Deployment", "StatefulSet")]
        self.assertGreater(len(pods), 2)
        for template in pods:
            pod = pod_from(template)
            pod["spec"].pop("priorityClassName", None)  # there is none here
            pod["spec"]["serviceAccountName"] = "default"
            made = server.create(pod, NAMESPACE, dry_run=True)
            self.assertNotIn(TOKEN, [mount["mountPath"] for mount in made["spec"]["containers"][0]["volumeMounts"]])
            broken = copy.deepcopy(pod)
            del broken["spec"]["containers"][0]["securityContext"]["capabilities"]
            with self.assertRaisesRegex(Refused, "violates PodSecurity"):
                server.create(broken, NAMESPACE, dry_run=True)

    def test_it_is_installed_upgraded_and_gone(self):
        """By Helm, as a user would; the API server keeps what a cluster would run."""
        values = CASES / "values" / "deployment.yaml"
        for helm, namespace in ((HELM, "by-helm-4"), (HELM3, "by-helm-3")):
            with self.subTest(helm):
                server.create_namespace(namespace)
                options = ("--namespace", namespace, "--kubeconfig", server.kubeconfig())
                said = helm_chart.run(helm, "install", RELEASE, CHART, *options, "--values", values)
                self.assertIn("deployment of 2, as tocsin in " + namespace, said)
                deployment = f"apis/apps/v1/namespaces/{namespace}/deployments/tocsin"
                before = server.request("GET", deployment)["spec"]["template"]
                helm_chart.run(helm, "upgrade", RELEASE, CHART, *options, "--values", values,
                               "--set", "rules.packs.mine\\.yaml=rules: []")
                self.assertEqual(before, server.request("GET", deployment)["spec"]["template"], "a rule restarts no pod")
                rules = server.request("GET", f"api/v1/namespaces/{namespace}/configmaps/tocsin-rules")
                self.assertIn("mine.yaml", rules["data"])
                helm_chart.run(helm, "upgrade", RELEASE, CHART, *options, "--values", values,
                               "--set", "config.batch.wait_ms=50")
                self.assertNotEqual(before, server.request("GET", deployment)["spec"]["template"], "configuration does")
                helm_chart.run(helm, "uninstall", RELEASE, *options)
                self.assertFalse(answers(deployment))


class InjectionTest(unittest.TestCase):
    """The policy as the chart renders it, in force; pods are only tried."""

    @classmethod
    def setUpClass(cls):
        cls.manifest = rendered("sidecar-injected")
        for kind in ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"):
            server.create(only(kind, cls.manifest))
        server.create_namespace("elsewhere")
        # The sidecar by the library, with the same settings.
        values = yaml.safe_load((CASES / "values" / "sidecar-injected.yaml").read_text(encoding="utf-8"))
        cls.spec = helm_chart.sidecar_of_library(port=values["port"], secrets=values["secrets"], extraEnv=values["extraEnv"])
        processes.wait_until(lambda: cls.sidecars(server.create(AGENT, NAMESPACE, dry_run=True)), POLICY_TIMEOUT_S,
                             "the policy is in force")

    @staticmethod
    def sidecars(pod):
        return [each for each in pod["spec"].get("initContainers", []) if each["name"] == "tocsin"]

    def test_a_labelled_pod_gets_it_once_and_as_the_library_makes_it(self):
        made = server.create(AGENT, NAMESPACE, dry_run=True)
        [wanted] = self.sidecars({"spec": self.spec})
        # The library's pod, had there been no policy: the API server fills in the same defaults.
        plain = copy.deepcopy(AGENT)
        plain["spec"]["initContainers"] = [wanted]
        plain["spec"]["volumes"] = [each for each in self.spec["volumes"] if each["name"].startswith("tocsin-")]
        by_hand = server.create(plain, NAMESPACE, dry_run=True)
        self.assertEqual(self.sidecars(by_hand), self.sidecars(made))
        ours = lambda pod: [each for each in pod["spec"]["volumes"] if each["name"].startswith("tocsin-")]
        self.assertEqual(ours(by_hand), ours(made))
        self.assertEqual(1, len(self.sidecars(made)))
        self.assertEqual(["agent"], [each["name"] for each in made["spec"]["containers"]])

    def test_what_was_there_stays_and_comes_first(self):
        agent = copy.deepcopy(AGENT)
        agent["spec"]["initContainers"] = [dict(copy.deepcopy(AGENT["spec"]["containers"][0]), name="prepare")]
        agent["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {}}]
        made = server.create(agent, NAMESPACE, dry_run=True)
        self.assertEqual(["prepare", "tocsin"], [each["name"] for each in made["spec"]["initContainers"]])
        self.assertEqual("scratch", made["spec"]["volumes"][0]["name"])

    def test_a_pod_that_has_it_is_left_alone(self):
        """Idempotent: what the policy made, or the library, goes through unchanged."""
        made = server.create(AGENT, NAMESPACE, dry_run=True)
        again = {"apiVersion": "v1", "kind": "Pod", "metadata": AGENT["metadata"], "spec": copy.deepcopy(made["spec"])}
        twice = server.create(again, NAMESPACE, dry_run=True)
        self.assertEqual(made["spec"], twice["spec"])

    def test_others_are_not_touched(self):
        unlabelled = copy.deepcopy(AGENT)
        unlabelled["metadata"]["labels"] = {"app": "agent"}
        of_another = copy.deepcopy(AGENT)
        of_another["metadata"]["labels"] = {"tocsin/sidecar": "another-release"}
        for pod, namespace in ((unlabelled, NAMESPACE), (of_another, NAMESPACE), (AGENT, "elsewhere")):
            made = server.create(pod, namespace, dry_run=True)
            self.assertEqual([], self.sidecars(made))
            self.assertEqual([], [each for each in made["spec"]["volumes"] if each["name"].startswith("tocsin-")])

    def test_the_token_of_the_agent_is_not_for_the_sidecar(self):
        made = server.create(AGENT, NAMESPACE, dry_run=True)
        sources = {mount["name"] for mount in self.sidecars(made)[0]["volumeMounts"] if mount["mountPath"] == TOKEN}
        self.assertEqual({"tocsin-no-token"}, sources)
        [agent] = made["spec"]["containers"]
        self.assertIn(TOKEN, [mount["mountPath"] for mount in agent["volumeMounts"]])

    def test_an_agent_starts_although_the_policy_fails(self):
        policy = only("MutatingAdmissionPolicy", self.manifest)
        self.assertEqual("Ignore", policy["spec"]["failurePolicy"])
        namespaces = policy["spec"]["matchConstraints"]["namespaceSelector"]
        self.assertEqual({"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}, namespaces)

    def test_helm_takes_the_version_that_the_cluster_has(self):
        for versions, wanted in (((), "v1"), (("v1beta1",), "v1beta1"), (("v1beta1", "v1"), "v1")):
            options = [option for version in versions
                       for option in ("--api-versions", f"admissionregistration.k8s.io/{version}/MutatingAdmissionPolicy")]
            policy = only("MutatingAdmissionPolicy", rendered("sidecar-injected", *options))
            self.assertEqual(f"admissionregistration.k8s.io/{wanted}", policy["apiVersion"])

    def test_the_older_version_is_accepted_too(self):
        """As clusters before 1.36 have it, where it is switched on."""
        manifest = rendered("sidecar-injected", "--set", "injection.apiVersion=admissionregistration.k8s.io/v1beta1")
        for kind in ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"):
            each = only(kind, manifest)
            each["metadata"]["name"] += ".beta"
            made = server.create(each, dry_run=True)
            self.assertEqual("admissionregistration.k8s.io/v1beta1", made["apiVersion"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
