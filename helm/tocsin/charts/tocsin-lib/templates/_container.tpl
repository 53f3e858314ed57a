{{/*
What runs tocsin in a pod, whoever's pod that is.

In a chart of yours that depends on tocsin-lib:

    metadata: {labels: {tocsin/sidecar: tocsin}}      # the pod's; the value is .Values.tocsin.configMap
    spec:
      initContainers: [{{ include "tocsin.sidecar" . }}]
      volumes: {{ include "tocsin.sidecar.volumes" . }}

Both read .Values.tocsin, whose keys and defaults are those of "tocsin.settings".  Container and volumes are written as
JSON on one line, which is YAML too and needs no indenting.
*/}}

{{- /* Keys of .Values.tocsin of an application's chart; tocsin's own chart makes them of its values. */}}
{{- define "tocsin.settings" -}}
image:                 # a digest goes before a tag
  repository: tocsin
  tag: {{ include "tocsin.lib.version" . | quote }}
  digest: ""
  pullPolicy: IfNotPresent
configMap: tocsin      # with tocsin.yaml; "-rules" and "-systems" behind it are those of rules and profiles
port: 9464             # must be free in the pod, and http.listen in tocsin.yaml
secrets: []            # names of Secrets, mounted at /etc/tocsin/secrets/NAME
packs: []              # names of more ConfigMaps with rules, mounted at /etc/tocsin/packs/NAME
systems: []            # and with system profiles, at /etc/tocsin/profiles/NAME
resources:
  requests: {cpu: 50m, memory: 128Mi}
  limits: {memory: 256Mi}
extraEnv: []
extraVolumes: []
extraVolumeMounts: []
{{- end }}

{{- /* The sidecar of an application's chart: an init container that stays (Kubernetes 1.29). */}}
{{- define "tocsin.sidecar" -}}
{{- include "tocsin.container" (include "tocsin.sidecar.settings" . | fromYaml) }}
{{- end }}

{{- define "tocsin.sidecar.volumes" -}}
{{- include "tocsin.volumes" (include "tocsin.sidecar.settings" . | fromYaml) }}
{{- end }}

{{- define "tocsin.sidecar.settings" -}}
{{- $defaults := include "tocsin.settings" . | fromYaml }}
{{- $given := .Values.tocsin | default dict }}
{{- range $key := without (keys $given) "global" }}
{{- if not (hasKey $defaults $key) }}
{{- fail (printf "tocsin.%s: there is no such setting; there are %s" $key (keys $defaults | sortAlpha | join ", ")) }}
{{- end }}
{{- end }}
{{- toYaml (set (mergeOverwrite $defaults (deepCopy (omit $given "global"))) "sidecar" true) }}
{{- end }}

{{- define "tocsin.image" -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end }}

{{- /* A volume's name: no dots, 63 letters. */}}
{{- define "tocsin.volume" -}}
{{- printf "tocsin-%s" . | replace "." "-" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tocsin.container" -}}
{{- $health := dict "path" "/healthz" "port" "tocsin-metrics" }}
{{- $container := dict
      "name" "tocsin"
      "image" (include "tocsin.image" .image)
      "imagePullPolicy" .image.pullPolicy
      "args" (list "run" "--config" "/etc/tocsin/tocsin.yaml")
      "ports" (list (dict "name" "tocsin-metrics" "containerPort" (int .port)))
      "resources" .resources
      "securityContext" (dict
        "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532
        "readOnlyRootFilesystem" true "allowPrivilegeEscalation" false "privileged" false
        "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault")) }}
{{- $mounts := list
      (dict "name" "tocsin-config" "mountPath" "/etc/tocsin/tocsin.yaml" "subPath" "tocsin.yaml" "readOnly" true)
      (dict "name" "tocsin-rules" "mountPath" "/etc/tocsin/rules" "readOnly" true)
      (dict "name" "tocsin-systems" "mountPath" "/etc/tocsin/systems" "readOnly" true)
      (dict "name" "tocsin-cache" "mountPath" "/var/cache/tocsin") }}
{{- range .packs }}
{{- $mounts = append $mounts (dict "name" (include "tocsin.volume" (printf "packs-%s" .)) "mountPath" (printf "/etc/tocsin/packs/%s" .) "readOnly" true) }}
{{- end }}
{{- range .systems }}
{{- $mounts = append $mounts (dict "name" (include "tocsin.volume" (printf "profiles-%s" .)) "mountPath" (printf "/etc/tocsin/profiles/%s" .) "readOnly" true) }}
{{- end }}
{{- range .secrets }}
{{- $mounts = append $mounts (dict "name" (include "tocsin.volume" (printf "secret-%s" .)) "mountPath" (printf "/etc/tocsin/secrets/%s" .) "readOnly" true) }}
{{- end }}
{{- if .sidecar }}
{{- /* The token of the application's service account is not for us: where something is mounted already, it is not. */}}
{{- $mounts = append $mounts (dict "name" "tocsin-no-token" "mountPath" "/var/run/secrets/kubernetes.io/serviceaccount" "readOnly" true) }}
{{- /* No startup probe: the application waits for it, and would wait for ever for a tocsin that cannot start.  No
       readiness probe: it would take the application out of service.  Liveness does not follow Kafka, and begins when
       rules are compiled even on a slow machine. */}}
{{- $_ := set $container "restartPolicy" "Always" }}
{{- /* Kubelet, which looks once a second, begins the application when it has seen this run.  A tocsin that refuses its
       configuration ends within moments and might never be seen: so it begins five seconds late, whatever it does then. */}}
{{- $_ := set (unset $container "args") "command" (list "/bin/sh" "-c" "trap exit TERM; sleep 5 & wait; exec /usr/bin/tocsin run --config /etc/tocsin/tocsin.yaml") }}
{{- $_ := set $container "livenessProbe" (dict "httpGet" $health "initialDelaySeconds" 120 "periodSeconds" 20 "timeoutSeconds" 5 "failureThreshold" 6) }}
{{- else }}
{{- /* Rules are compiled before the port opens: two minutes for the slowest of machines. */}}
{{- $_ := set $container "startupProbe" (dict "httpGet" $health "periodSeconds" 2 "timeoutSeconds" 5 "failureThreshold" 60) }}
{{- $_ := set $container "livenessProbe" (dict "httpGet" $health "periodSeconds" 20 "timeoutSeconds" 5 "failureThreshold" 3) }}
{{- $_ := set $container "readinessProbe" (dict "httpGet" (dict "path" "/readyz" "port" "tocsin-metrics") "periodSeconds" 5 "timeoutSeconds" 5 "failureThreshold" 3) }}
{{- end }}
{{- $_ := set $container "volumeMounts" (concat $mounts .extraVolumeMounts) }}
{{- with .extraEnv }}{{- $_ := set $container "env" . }}{{- end }}
{{- toJson $container }}
{{- end }}

{{- define "tocsin.volumes" -}}
{{- /* In an application's pod nothing of ours is waited for: the agent starts without it, and tocsin says what it lacks. */}}
{{- $optional := .sidecar | default false }}
{{- $volumes := list
      (dict "name" "tocsin-config" "configMap" (dict "name" .configMap "optional" $optional))
      (dict "name" "tocsin-rules" "configMap" (dict "name" (printf "%s-rules" .configMap) "optional" true))
      (dict "name" "tocsin-systems" "configMap" (dict "name" (printf "%s-systems" .configMap) "optional" true))
      (dict "name" "tocsin-cache" "emptyDir" (dict "sizeLimit" "64Mi")) }}
{{- range .packs }}
{{- $volumes = append $volumes (dict "name" (include "tocsin.volume" (printf "packs-%s" .)) "configMap" (dict "name" . "optional" $optional)) }}
{{- end }}
{{- range .systems }}
{{- $volumes = append $volumes (dict "name" (include "tocsin.volume" (printf "profiles-%s" .)) "configMap" (dict "name" . "optional" $optional)) }}
{{- end }}
{{- range .secrets }}
{{- $volumes = append $volumes (dict "name" (include "tocsin.volume" (printf "secret-%s" .)) "secret" (dict "secretName" . "optional" $optional)) }}
{{- end }}
{{- if .sidecar }}
{{- $volumes = append $volumes (dict "name" "tocsin-no-token" "emptyDir" (dict "sizeLimit" "1Mi")) }}
{{- end }}
{{- toJson (concat $volumes .extraVolumes) }}
{{- end }}
