{{- /* What a schema cannot say: all mistakes at once, each with its remedy. */}}
{{- define "tocsin.validate" -}}
{{- $mistakes := list }}
{{- $config := .Values.config }}
{{- $kafka := $config.kafka | default dict }}
{{- $sidecar := eq .Values.mode "sidecar" }}

{{- if not (get $kafka "bootstrap.servers") }}
{{- $mistakes = append $mistakes "config.kafka.bootstrap.servers is not set: where are the brokers?  --set 'config.kafka.bootstrap\\.servers=kafka:9092'" }}
{{- end }}
{{- range $key, $value := $kafka }}
{{- if and (regexMatch "password$|secret$|^ssl\\.key\\.pem$" $key) (not (kindIs "invalid" $value)) }}
{{- $mistakes = append $mistakes (printf "config.kafka.%s: no secret in clear; put it into a Secret, name that under `secrets`, and write `%s_file: secrets/NAME/KEY`" $key $key) }}
{{- end }}
{{- end }}

{{- /* Paths below secrets/ are of Secrets that are mounted. */}}
{{- $files := list }}
{{- range $key, $value := $kafka }}
{{- if or (hasSuffix "_file" $key) (hasSuffix ".location" $key) }}{{ $files = append $files (dict "key" (printf "config.kafka.%s" $key) "path" ($value | toString)) }}{{ end }}
{{- end }}
{{- range $section := list "redaction" "alertmanager" }}
{{- range $key, $value := get $config $section | default dict }}
{{- if hasSuffix "_file" $key }}{{ $files = append $files (dict "key" (printf "config.%s.%s" $section $key) "path" ($value | toString)) }}{{ end }}
{{- end }}
{{- end }}
{{- range $webhook := $config.webhooks | default list }}
{{- range $key, $value := $webhook }}
{{- if hasSuffix "_file" $key }}{{ $files = append $files (dict "key" (printf "config.webhooks %s: %s" $webhook.name $key) "path" ($value | toString)) }}{{ end }}
{{- end }}
{{- end }}
{{- range $files }}
{{- $path := trimPrefix "/etc/tocsin/" .path }}
{{- if hasPrefix "secrets/" $path }}
{{- $secret := index (splitList "/" $path) 1 }}
{{- if not (has $secret $.Values.secrets) }}
{{- $mistakes = append $mistakes (printf "%s is %s, and no Secret %s is mounted: add it to `secrets`" .key .path $secret) }}
{{- end }}
{{- end }}
{{- end }}

{{- if and $sidecar (has (get $kafka "group.id" | default "tocsin") (list "tocsin")) }}
{{- $mistakes = append $mistakes "config.kafka.group.id is not set: sidecars of one application share the partitions of its topic, so give each application a group of its own, tocsin-NAME for example" }}
{{- end }}
{{- if $sidecar }}
{{- $topics := $config.topics }}
{{- if (hasKey $topics "incidents" | ternary $topics.incidents "tocsin.incidents") }}
{{- $shared := list }}
{{- range $key := list "findings" "control" "incidents" }}
{{- if has (get $topics $key) (list nil "" (printf "tocsin.%s" $key)) }}{{ $shared = append $shared $key }}{{ end }}
{{- end }}
{{- with $shared }}
{{- $mistakes = append $mistakes (printf "config.topics: %s are the topics of all; each group makes incidents of all findings it reads, so other groups' would be told twice: name topics of this application's own (tocsin-NAME.findings), or set incidents to \"\" where a deployment makes them" (join ", " .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (not $sidecar) .Values.injection.enabled }}
{{- $mistakes = append $mistakes "injection.enabled is for `mode: sidecar`" }}
{{- end }}
{{- if and (eq .Values.mode "statefulset") .Values.statefulset.staticMembership (ne (include "tocsin.workers" .) "1") }}
{{- $mistakes = append $mistakes "statefulset.staticMembership needs `config.workers: 1`: the members of a process would have one name, and fence each other; scale by replicas" }}
{{- end }}
{{- if and (not $sidecar) .Values.autoscaling.enabled }}
{{- if not .Values.autoscaling.partitions }}
{{- $mistakes = append $mistakes "autoscaling.partitions is not set: how many partitions has the topic?  What goes beyond them would be idle" }}
{{- else if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.partitions) }}
{{- $mistakes = append $mistakes "autoscaling.minReplicas is more than autoscaling.partitions: what goes beyond them would be idle" }}
{{- end }}
{{- end }}
{{- if and $sidecar .Values.networkPolicy.enabled (not .Values.networkPolicy.podsAreIsolated) }}
{{- $mistakes = append $mistakes "networkPolicy.enabled in `mode: sidecar` selects your applications' pods, and whatever it does not list they can no longer reach or be reached by; say networkPolicy.podsAreIsolated: true if policies of yours list that already" }}
{{- end }}

{{- with $mistakes }}
{{- fail (printf "\n\n%d to mend in the values:\n  * %s\n" (len .) (join "\n  * " .)) }}
{{- end }}
{{- end }}
