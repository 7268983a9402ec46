{{/* Fails with every problem of the values at once, each in one sentence that says what to set. */}}

{{- define "antiphon.checkValues" -}}
{{- $problems := concat
  (include "antiphon.redisProblems" . | fromJsonArray)
  (include "antiphon.scalingProblems" . | fromJsonArray)
  (include "antiphon.settingsProblems" . | fromJsonArray)
  (include "antiphon.wayInProblems" . | fromJsonArray)
  (include "antiphon.metricsApiProblems" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\nThe values of antiphon do not fit together:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "antiphon.redisProblems" -}}
{{- $problems := list -}}
{{- with .Values.redis -}}
{{- $given := list -}}
{{- if .url }}{{ $given = append $given "redis.url" }}{{ end -}}
{{- if .existingSecret }}{{ $given = append $given "redis.existingSecret" }}{{ end -}}
{{- if .bundled.enabled }}{{ $given = append $given "redis.bundled.enabled" }}{{ end -}}
{{- if not $given -}}
{{- $problems = append $problems (printf "No Redis: set redis.existingSecret to a Secret that holds the URL under the key %s, or redis.url; to try Antiphon out, set redis.bundled.enabled=true." .existingSecretKey) -}}
{{- else if gt (len $given) 1 -}}
{{- $problems = append $problems (printf "%s say each where Redis is: keep one." (join " and " $given)) -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "antiphon.scalingProblems" -}}
{{- $problems := list -}}
{{- $pools := include "antiphon.pools" . | fromJson -}}
{{- range $name, $pool := $pools -}}
{{- $where := printf "worker.pools.%s.autoscaling" $name -}}
{{- if eq $name "default" }}{{ $where = "autoscaling" }}{{ end -}}
{{- with $pool.autoscaling -}}
{{- if and (ne .mode "none") (gt (int .min) (int .max)) -}}
{{- $problems = append $problems (printf "%s.min is %d and more than max, which is %d: set min to at most max." $where (int .min) (int .max)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $own := .Values.worker.pools -}}
{{- $scaling := ($own | default dict).autoscaling | default dict -}}
{{- $mode := (index $pools $name).autoscaling.mode -}}
{{- if eq $name "default" -}}
{{- $problems = append $problems "worker.pools.default is the pool that the keys of worker describe: give this one another name." -}}
{{- end -}}
{{- if and (eq $mode "none") (or (hasKey $scaling "min") (hasKey $scaling "max")) -}}
{{- $problems = append $problems (printf "worker.pools.%s.autoscaling has a min or max, but its mode is none: set its mode, or replicas instead." $name) -}}
{{- end -}}
{{- if and (ne $mode "none") (hasKey ($own | default dict) "replicas") -}}
{{- $problems = append $problems (printf "worker.pools.%s.replicas says how many, but autoscaling.mode %s scales it: set worker.pools.%s.autoscaling.mode=none, or min and max instead of replicas." $name $mode $name) -}}
{{- end -}}
{{- end -}}
{{- if and (include "antiphon.scaleTargets" .) (not .Values.rbac.create) (not .Values.master.serviceAccount.name) -}}
{{- $problems = append $problems "autoscaling.mode builtin needs rights: set rbac.create=true, or master.serviceAccount.name to an account that has them." -}}
{{- end -}}
{{- if and (include "antiphon.scaleTargets" .) (not .Values.master.serviceAccount.automount) -}}
{{- $problems = append $problems "autoscaling.mode builtin speaks to the API server: set master.serviceAccount.automount=true, or another mode." -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* What the chart itself tells the processes must not be contradicted by the file, which would be overruled without a word. */}}
{{- define "antiphon.settingsProblems" -}}
{{- $problems := list -}}
{{- $instead := dict
  "redisUrl" "redis.url or redis.existingSecret" "adapters" "adapters.<name>.enabled and adapters.<name>.config"
  "folders" "handlers.paths" "adminToken" "adminToken.existingSecret" "adminTokens" "adminTokens.existingSecret" "webToken" "webToken.existingSecret"
  "drainMs" "worker.drainSeconds" "queues" "worker.queues" "tags" "worker.tags" "workerThreads" "worker.threads"
  "workerConcurrency" "worker.concurrency" "pool" "worker.pools" "scaleTargets" "autoscaling" "revision" "nothing: it is the revision of the Deployment"
  "httpPort" "service.port" "httpHost" "nothing" "adminPort" "nothing: it is 9090" "adminHost" "nothing"
  "metricsApiPort" "externalMetrics.apiService.enabled" "metricsApiCertificate" "externalMetrics.apiService.certificate" -}}
{{- range $key := keys (.Values.config | default dict) | sortAlpha -}}
{{- if hasKey $instead $key -}}
{{- $problems = append $problems (printf "config.%s would be overruled by a variable of the chart: set %s instead." $key (get $instead $key)) -}}
{{- end -}}
{{- end -}}
{{- if kindIs "slice" (get (.Values.config | default dict) "handlers") -}}
{{- $problems = append $problems "config.handlers holds the settings of handlers by name: set handlers.paths to the folders that hold them." -}}
{{- end -}}
{{- $all := .Values -}}
{{- if .Values.settingsSecret.name -}}
{{- if .Values.config -}}
{{- $problems = append $problems "settingsSecret.name and config each say what the settings file is: keep one." -}}
{{- end -}}
{{- range $name, $adapter := .Values.adapters -}}
{{- if and $adapter $adapter.enabled $adapter.config -}}
{{- $problems = append $problems (printf "settingsSecret.name and adapters.%s.config each say what the settings file is: keep one." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (include "antiphon.adapterNames" .) -}}
{{- $problems = append $problems "No chat service is on: set adapters.web.enabled=true, or enabled of another." -}}
{{- end -}}
{{- with .Values.adapters.irc -}}
{{- $config := .config | default dict -}}
{{- if and .enabled (not (or $config.host $config.networks $all.settingsSecret.name (hasKey (.secretKeys | default dict) "IRC_HOST"))) -}}
{{- if not (include "antiphon.hasVariable" (list $all "IRC_HOST")) -}}
{{- $problems = append $problems "adapters.irc does not say where to connect: set adapters.irc.config.host, or adapters.irc.config.networks." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* (list values name): whether the pods of masters may have the variable from the user. */}}
{{- define "antiphon.hasVariable" -}}
{{- $values := index . 0 -}}{{- $name := index . 1 -}}
{{- if or $values.extraEnvFrom $values.master.extraEnvFrom -}}perhaps{{- end -}}
{{- range concat ($values.extraEnv | default list) ($values.master.extraEnv | default list) -}}
{{- if eq .name $name }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{- define "antiphon.wayInProblems" -}}
{{- $problems := list -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $problems = append $problems "ingress.enabled is set, but nothing is reachable: set ingress.hosts, such as [{host: bot.example.com}]." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $problems = append $problems "httpRoute.enabled is set, but no gateway is named: set httpRoute.parentRefs, such as [{name: public}]." -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- $problems = append $problems "service.nodePort is set, but a ClusterIP has none: set service.type to NodePort or LoadBalancer." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- $problems = append $problems "serviceMonitor and podMonitor would both scrape the same pods: enable one." -}}
{{- end -}}
{{- $behind := false -}}
{{- range include "antiphon.pools" . | fromJson }}{{ if .behindService }}{{ $behind = true }}{{ end }}{{ end -}}
{{- if not $behind -}}
{{- $problems = append $problems "No pool of workers receives requests: set worker.behindService=true, or that of a pool." -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{- define "antiphon.metricsApiProblems" -}}
{{- $problems := list -}}
{{- with .Values.externalMetrics.apiService -}}
{{- if .enabled -}}
{{- if lt (int $.Values.master.replicas) 2 -}}
{{- $problems = append $problems "externalMetrics.apiService needs at least two masters, for while it is away the whole cluster's discovery suffers: set master.replicas to 2 or more." -}}
{{- end -}}
{{- if and .certificate.existingSecret .certificate.certManager.enabled -}}
{{- $problems = append $problems "externalMetrics.apiService.certificate.existingSecret and certManager each bring a certificate: keep one." -}}
{{- else if and .certificate.existingSecret (not (include "antiphon.metricsApiBundle" $)) -}}
{{- $problems = append $problems "externalMetrics.apiService.certificate.existingSecret does not say who signed it: set externalMetrics.apiService.certificate.caBundle to the PEM of the authority." -}}
{{- end -}}
{{- $there := lookup "apiregistration.k8s.io/v1" "APIService" "" "v1beta1.external.metrics.k8s.io" -}}
{{- if $there -}}
{{- $of := get ($there.metadata.annotations | default dict) "meta.helm.sh/release-name" -}}
{{- $at := get ($there.metadata.annotations | default dict) "meta.helm.sh/release-namespace" -}}
{{- if not (and (eq $of $.Release.Name) (eq $at $.Release.Namespace)) -}}
{{- $service := ($there.spec).service | default (dict "namespace" "?" "name" "?") -}}
{{- $problems = append $problems (printf "The cluster has an external metrics API already, of the Service %s/%s, and only one is possible: set externalMetrics.apiService.enabled=false and use that one (autoscaling.mode keda, or hpa with prometheus-adapter)." $service.namespace $service.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}
