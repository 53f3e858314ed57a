{{- /* Of the image that goes with this library; sync.py writes it. */}}
{{- define "tocsin.lib.version" -}}0.1.0{{- end }}
