{{- /* The pods of deployment and stateful set. */}}
{{- define "tocsin.pod" -}}
{{- $settings := include "tocsin.own.settings" . | fromYaml -}}
metadata:
  labels:
    {{- include "tocsin.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # tocsin.yaml is read at the start alone; rules and profiles reload, and are not in here.
    checksum/config: {{ include "tocsin.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .Values.serviceAccount.create | ternary (include "tocsin.fullname" .) .Values.serviceAccount.name | default "default" }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
  {{- with get $.Values $key }}
  {{ $key }}: {{- if kindIs "string" . }} {{ . }}{{ else }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- end }}
  {{- end }}
  containers:
    - {{ include "tocsin.container" $settings | fromJson | toYaml | indent 6 | trim }}
  volumes:
    {{- include "tocsin.volumes" $settings | fromJsonArray | toYaml | nindent 4 }}
{{- end }}
