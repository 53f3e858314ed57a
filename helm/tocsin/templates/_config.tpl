{{- /* tocsin.yaml: what the values say, and where the chart mounts things. */}}
{{- define "tocsin.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $packs := list "/etc/tocsin/rules" }}
{{- if .Values.rules.shipped }}{{ $packs = prepend $packs "/usr/share/tocsin/rules/packs" }}{{ end }}
{{- range .Values.rules.packConfigMaps }}{{ $packs = append $packs (printf "/etc/tocsin/packs/%s" .) }}{{ end }}
{{- $systems := list "/etc/tocsin/systems" }}
{{- range .Values.rules.systemConfigMaps }}{{ $systems = append $systems (printf "/etc/tocsin/profiles/%s" .) }}{{ end }}
{{- $rules := mergeOverwrite (deepCopy ($config.rules | default dict)) (dict "packs" $packs "systems" $systems "cache_dir" "/var/cache/tocsin") }}
{{- $_ := set $config "rules" $rules }}
{{- $_ := set $config "http" (mergeOverwrite (dict "page" (ne .Values.mode "sidecar")) ($config.http | default dict) (dict "listen" (printf "%s:%d" .Values.listenAddress (int .Values.port)))) }}
{{- with $config.incidents }}
{{- /* YAML read on and off as true and false. */}}
{{- if kindIs "bool" .requests }}{{ $_ := set . "requests" (.requests | ternary "on" "off") }}{{ end }}
{{- end }}
{{- $_ := set $config "workers" (include "tocsin.workers" . | int) }}
{{- toYaml $config }}
{{- end }}
