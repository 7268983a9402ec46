{{/* Which worker Deployments there are, and how each is scaled. */}}

{{/* JSON: {name: values of the pool, over those of worker}. The pool `default` is `worker` itself. */}}
{{- define "antiphon.pools" -}}
{{- $root := . -}}
{{- $base := omit .Values.worker "pools" -}}
{{- $pools := dict -}}
{{- range $name, $own := merge (dict "default" dict) (.Values.worker.pools | default dict) -}}
{{- $pool := mergeOverwrite (deepCopy $base) (deepCopy ($own | default dict)) -}}
{{- $scaling := mergeOverwrite (deepCopy (pick $root.Values.autoscaling "mode" "min" "max")) (deepCopy (($own | default dict).autoscaling | default dict)) -}}
{{- $_ := set $pool "autoscaling" $scaling -}}
{{- $_ := set $pool "deployment" (include "antiphon.poolName" (list $root $name)) -}}
{{- $_ := set $pools $name $pool -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{- define "antiphon.poolName" -}}
{{- $full := include "antiphon.fullname" (index . 0) -}}
{{- if eq (index . 1) "default" }}{{ $full }}-worker{{ else }}{{ $full }}-worker-{{ index . 1 }}{{ end -}}
{{- end -}}

{{/* ANTIPHON_SCALE_TARGETS: the pools that the leader of `control` scales, as pool=Deployment:min-max. */}}
{{- define "antiphon.scaleTargets" -}}
{{- $targets := list -}}
{{- range $name, $pool := include "antiphon.pools" . | fromJson -}}
{{- with $pool.autoscaling -}}
{{- if eq .mode "builtin" -}}
{{- $targets = append $targets (printf "%s=%s:%d-%d" $name $pool.deployment (int .min) (int .max)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- join "," $targets -}}
{{- end -}}

{{/* The Deployments among them, as a JSON list: what the master's Role names. */}}
{{- define "antiphon.scaledDeployments" -}}
{{- $names := list -}}
{{- range include "antiphon.pools" . | fromJson -}}
{{- if eq .autoscaling.mode "builtin" -}}{{- $names = append $names .deployment -}}{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}
