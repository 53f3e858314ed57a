"""A real API server of Kubernetes, with its etcd and nothing else: it says what a cluster would accept and what admission
makes of it.  No controller, no kubelet: nothing runs."""

import json
import pathlib
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request

import processes

START_TIMEOUT_S = 90
HTTP_TIMEOUT_S = 30

# Where objects of a kind live: path of their API group, plural, whether in a namespace.
PLACES = {
    "Namespace": ("api/v1", "namespaces", False),
    "Pod": ("api/v1", "pods", True),
    "ConfigMap": ("api/v1", "configmaps", True),
    "Service": ("api/v1", "services", True),
    "ServiceAccount": ("api/v1", "serviceaccounts", True),
    "Deployment": ("apis/apps/v1", "deployments", True),
    "StatefulSet": ("apis/apps/v1", "statefulsets", True),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets", True),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies", True),
    "MutatingAdmissionPolicy": ("apis/{version}", "mutatingadmissionpolicies", False),
    "MutatingAdmissionPolicyBinding": ("apis/{version}", "mutatingadmissionpolicybindings", False),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "PodMonitor": ("apis/monitoring.coreos.com/v1", "podmonitors", True),
    "PrometheusRule": ("apis/monitoring.coreos.com/v1", "prometheusrules", True),
    "ScaledObject": ("apis/keda.sh/v1alpha1", "scaledobjects", True),
}


class Refused(AssertionError):
    """The API server said no; the message is its own."""

    def __init__(self, status, said):
        super().__init__(f"{status}: {said}")
        self.status = status


class ApiServer:
    """A context manager; `programs` is the folder of kube-apiserver and etcd, `folder` one that is empty."""

    def __init__(self, programs, folder):
        self.programs, self.folder = pathlib.Path(programs), pathlib.Path(folder)
        self.port, self.token = processes.free_port(), secrets.token_hex(16)
        self.running_ = []

    def __enter__(self):
        try:
            self.start_()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.running_):
            processes.end(process, 20)

    def start_(self):
        etcd, peer = processes.free_port(), processes.free_port()
        store, peers = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
        self.spawn_("etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
                    "--listen-client-urls", store, "--advertise-client-urls", store, "--listen-peer-urls", peers,
                    "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}")
        key, tokens = self.folder / "service-accounts.pem", self.folder / "tokens.csv"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        tokens.write_text(f"{self.token},tester,tester,system:masters\n", encoding="utf-8")
        tokens.chmod(0o600)
        self.spawn_("kube-apiserver", "--etcd-servers", store, "--bind-address", "127.0.0.1",
                    "--secure-port", self.port, "--cert-dir", self.folder / "certificates", "--token-auth-file", tokens,
                    "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
                    "--endpoint-reconciler-type", "none", "--runtime-config", "admissionregistration.k8s.io/v1beta1=true",
                    "--service-account-issuer", "https://kubernetes.default.svc",
                    "--service-account-key-file", key, "--service-account-signing-key-file", key)
        self.certificate = self.folder / "certificates" / "apiserver.crt"
        processes.wait_until(self.ready_, START_TIMEOUT_S, "the API server is ready")

    def spawn_(self, program, *arguments):
        with open(self.folder / f"{program}.log", "wb") as log:
            self.running_.append(subprocess.Popen(
                processes.leashed([str(self.programs / program), *map(str, arguments)]), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder))

    def ready_(self):
        for process in self.running_:
            if process.poll() is not None:
                raise AssertionError(f"{process.args[-1]} and others: ended with {process.returncode}\n"
                                     + "".join(processes.tail(log) for log in self.folder.glob("*.log")))
        try:
            return self.request("GET", "readyz") == "ok"
        except (OSError, Refused):  # not listening yet, or not ready
            return False

    def request(self, method, path, body=None, content_type="application/json"):
        """Text or, where it is JSON, what it says; Refused otherwise."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False  # it is this machine's, by the file above
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type})
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S, context=context) as answer:
                text = answer.read().decode()
                return json.loads(text) if answer.headers["Content-Type"].startswith("application/json") else text
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            try:
                said = json.loads(said)["message"]
            except (ValueError, KeyError, TypeError):
                pass
            raise Refused(error.code, said) from None

    def create(self, manifest, namespace="default", dry_run=False):
        """What the API server made of it.  A field that it does not know is refused."""
        base, plural, in_namespace = PLACES[manifest["kind"]]
        base = base.format(version=manifest["apiVersion"])
        if base.partition("/")[2] != manifest["apiVersion"]:
            raise AssertionError(f"{manifest['kind']} of {manifest['apiVersion']}: PLACES has {base}")
        where = f"namespaces/{manifest['metadata'].get('namespace', namespace)}/" if in_namespace else ""
        options = "fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.request("POST", f"{base}/{where}{plural}?{options}", manifest)

    def create_namespace(self, name, **labels):
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        # What a controller does in a cluster.
        self.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}, name)

    def kubeconfig(self):
        """A file that says to Helm where and who we are."""
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                      "insecure-skip-tls-verify": True}}],
            "users": [{"name": "test", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}), encoding="utf-8")
        path.chmod(0o600)
        return path
