{{- define "tocsin.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* 50 letters at most: names of what belongs to it have more behind. */}}
{{- define "tocsin.fullname" -}}
{{- $name := include "tocsin.name" . }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tocsin.selector" -}}
app.kubernetes.io/name: {{ include "tocsin.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tocsin.labels" -}}
{{ include "tocsin.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What every object of this release begins with: its name, its namespace, its labels. */}}
{{- define "tocsin.metadata" -}}
{{- include "tocsin.metadata.suffixed" (list . "") }}
{{- end }}

{{- define "tocsin.metadata.suffixed" -}}
{{- $root := index . 0 -}}
name: {{ include "tocsin.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
{{- with $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
labels:
  {{- include "tocsin.labels" $root | nindent 2 }}
{{- end }}

{{- /* The pods that tocsin runs in: ours, or the applications' that ask for this release's sidecar. */}}
{{- define "tocsin.pods" -}}
{{- if eq .Values.mode "sidecar" -}}
tocsin/sidecar: {{ include "tocsin.fullname" . }}
{{- else -}}
{{ include "tocsin.selector" . }}
{{- end }}
{{- end }}

{{- /* Alerts and dashboards know tocsin's targets by their job: it must hold the word. */}}
{{- define "tocsin.job" -}}
{{- $name := .Values.podMonitor.job | default (include "tocsin.fullname" .) }}
{{- if contains "tocsin" $name }}{{ $name }}{{ else }}{{ printf "tocsin/%s" $name }}{{ end }}
{{- end }}

{{- define "tocsin.workers" -}}
{{- .Values.config.workers | default 1 }}
{{- end }}

{{- /* One worker keeps within 192 MiB (bench/README.md), and the limit is not to be met; each further one takes some of its own. */}}
{{- define "tocsin.resources" -}}
{{- $memory := printf "%dMi" (add 192 (mul 64 (include "tocsin.workers" . | int))) }}
{{- $defaults := dict "requests" (dict "cpu" "50m" "memory" "128Mi") "limits" (dict "memory" $memory) }}
{{- toYaml (mergeOverwrite $defaults (deepCopy .Values.resources)) }}
{{- end }}

{{- /* What tocsin-lib needs to make the container and its volumes. */}}
{{- define "tocsin.own.settings" -}}
{{- $image := deepCopy .Values.image }}
{{- $_ := set $image "tag" ($image.tag | default .Chart.AppVersion) }}
{{- $env := .Values.extraEnv }}
{{- if and (eq .Values.mode "statefulset") .Values.statefulset.staticMembership }}
{{- $env = prepend $env (dict "name" "TOCSIN_KAFKA_GROUP_INSTANCE_ID" "valueFrom" (dict "fieldRef" (dict "fieldPath" "metadata.name"))) }}
{{- end }}
{{- toYaml (dict
      "image" $image
      "configMap" (include "tocsin.fullname" .)
      "port" .Values.port
      "secrets" .Values.secrets
      "packs" .Values.rules.packConfigMaps
      "systems" .Values.rules.systemConfigMaps
      "resources" (include "tocsin.resources" . | fromYaml)
      "extraEnv" $env
      "extraVolumes" .Values.extraVolumes
      "extraVolumeMounts" .Values.extraVolumeMounts
      "sidecar" (eq .Values.mode "sidecar")) }}
{{- end }}

{{- /* Topics of the configuration: name, what it is for, whether it is compacted. */}}
{{- define "tocsin.topics" -}}
{{- $topics := .Values.config.topics }}
{{- $named := list }}
{{- range $topics.events }}{{ $named = append $named (dict "name" . "for" "events") }}{{ end }}
{{- $findings := get $topics "findings" | default "tocsin.findings" }}
{{- $named = append $named (dict "name" $findings "for" "findings") }}
{{- $named = append $named (dict "name" (get $topics "control" | default "tocsin.control") "for" "control") }}
{{- range $key := list "incidents" "judgements" }}
{{- $name := hasKey $topics $key | ternary (get $topics $key) (printf "tocsin.%s" $key) }}
{{- if $name }}{{ $named = append $named (dict "name" $name "for" $key "compacted" true) }}{{ end }}
{{- end }}
{{- if not (has (get (.Values.config.incidents | default dict) "requests") (list "" "off" false nil)) }}
{{- $named = append $named (dict "name" (get $topics "requests" | default "tocsin.requests") "for" "requests") }}
{{- end }}
{{- range $key := list "dead_letter" "ocsf" }}
{{- with get $topics $key }}{{ $named = append $named (dict "name" . "for" $key) }}{{ end }}
{{- end }}
{{- toYaml (dict "topics" $named) }}
{{- end }}
