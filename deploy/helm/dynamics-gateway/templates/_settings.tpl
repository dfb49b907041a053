{{/* How the gateway gets its target: `file` (a complete one of the user), `written` (by this chart) or `variables`. */}}
{{- define "dynamics-gateway.settingsFrom" -}}
{{- if or .Values.config.inline .Values.config.configMapName .Values.config.secretName -}}
file
{{- else if or .Values.callers .Values.target -}}
written
{{- else -}}
variables
{{- end -}}
{{- end -}}

{{/* What cannot work, with what to write instead. */}}
{{- define "dynamics-gateway.checkValues" -}}
{{- $from := include "dynamics-gateway.settingsFrom" . -}}
{{- $files := compact (list (ternary "config.inline" "" (not (empty .Values.config.inline))) (ternary "config.configMapName" "" (not (empty .Values.config.configMapName))) (ternary "config.secretName" "" (not (empty .Values.config.secretName)))) -}}
{{- if gt (len $files) 1 -}}
{{- fail (printf "Set one of %s." (join ", " $files)) -}}
{{- end -}}
{{- if eq $from "file" -}}
{{- if or .Values.dynamics.url .Values.callers .Values.target -}}
{{- fail "config is a complete settings file: describe targets and callers there, and leave dynamics.url, callers and target empty." -}}
{{- end -}}
{{- else -}}
{{- if not .Values.dynamics.url -}}
{{- fail "Set dynamics.url to the environment, such as https://contoso.crm4.dynamics.com." -}}
{{- end -}}
{{- if ne .Values.credential.kind "managed-identity" -}}
{{- if not (and .Values.azure.tenantId .Values.azure.clientId) -}}
{{- fail "Set azure.tenantId and azure.clientId: Directory (tenant) ID and Application (client) ID of the app registration." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (has .Values.credential.kind (list "client-secret" "certificate")) (ne $from "file") (not .Values.credential.secretName) -}}
{{- fail (printf "Set credential.secretName to the Secret that holds the %s." (replace "-" " " .Values.credential.kind)) -}}
{{- end -}}
{{- if eq .Values.mode "service" -}}
{{- if and (ne $from "file") (not .Values.callers) (not .Values.networkPolicy.enabled) (not .Values.trustNetwork) -}}
{{- fail "Everybody in the cluster would have the application user's rights: keep networkPolicy.enabled, list callers, or set trustNetwork=true if that is meant." -}}
{{- end -}}
{{- end -}}
{{- if and (or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled) (not .Values.metrics.enabled) -}}
{{- fail "A ServiceMonitor or PodMonitor asks the metrics port: set metrics.enabled=true." -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (eq .Values.mode "sidecar") -}}
{{- fail "A sidecar has no Service: set metrics.podMonitor.enabled=true in place of metrics.serviceMonitor.enabled." -}}
{{- end -}}
{{- if and .Values.redis.url .Values.redis.urlKey -}}
{{- fail "Set redis.url or redis.urlKey, not both." -}}
{{- end -}}
{{- if and (or .Values.redis.urlKey .Values.redis.passwordKey .Values.redis.encryptionKeyKey .Values.redis.caKey) (not .Values.redis.secretName) -}}
{{- fail "Set redis.secretName to the Secret that holds the keys of redis." -}}
{{- end -}}
{{- if and (or .Values.redis.url .Values.redis.urlKey) (not .Values.redis.encryptionKeyKey) (has .Values.credential.kind (list "workload-identity" "managed-identity")) (ne $from "file") -}}
{{- fail (printf "Set redis.secretName and redis.encryptionKeyKey: a %s has no secret that all replicas share." (replace "-" " " .Values.credential.kind)) -}}
{{- end -}}
{{- end -}}

{{/* The settings file that this chart writes. */}}
{{- define "dynamics-gateway.settingsFile" -}}
{{- if .Values.config.inline -}}
{{- toYaml .Values.config.inline -}}
{{- else -}}
{{- $credential := dict "kind" .Values.credential.kind -}}
{{- if .Values.azure.tenantId -}}{{- $_ := set $credential "tenantId" .Values.azure.tenantId -}}{{- end -}}
{{- if .Values.azure.clientId -}}{{- $_ := set $credential "clientId" .Values.azure.clientId -}}{{- end -}}
{{- if eq .Values.credential.kind "workload-identity" -}}
{{- $_ := set $credential "file" "/var/run/secrets/azure/tokens/token" -}}
{{- else if eq .Values.credential.kind "client-secret" -}}
{{- $_ := set $credential "secret" (dict "file" (printf "/secrets/%s" .Values.credential.secretKey)) -}}
{{- else if eq .Values.credential.kind "certificate" -}}
{{- $_ := set $credential "file" (printf "/secrets/%s" .Values.credential.certificateKey) -}}
{{- if .Values.credential.certificatePasswordKey -}}
{{- $_ := set $credential "password" (dict "file" (printf "/secrets/%s" .Values.credential.certificatePasswordKey)) -}}
{{- end -}}
{{- end -}}
{{- $target := dict "url" .Values.dynamics.url "credential" $credential -}}
{{- if .Values.dynamics.scope -}}{{- $_ := set $target "scope" .Values.dynamics.scope -}}{{- end -}}
{{- if .Values.azure.authorityHost -}}{{- $_ := set $target "authorityHost" .Values.azure.authorityHost -}}{{- end -}}
{{- $file := dict "targets" (list (merge (dict) $target .Values.target)) -}}
{{- if .Values.callers -}}{{- $_ := set $file "callers" .Values.callers -}}{{- end -}}
{{- toYaml $file -}}
{{- end -}}
{{- end -}}

{{/* Whether the settings file is a ConfigMap of this chart. */}}
{{- define "dynamics-gateway.ownSettingsFile" -}}
{{- $from := include "dynamics-gateway.settingsFrom" . -}}
{{- if or (eq $from "written") .Values.config.inline -}}true{{- end -}}
{{- end -}}

{{/* Whether everybody who reaches the port may use it: where that is said, or where no callers are listed and the NetworkPolicy says who it is. */}}
{{- define "dynamics-gateway.trustNetwork" -}}
{{- $from := include "dynamics-gateway.settingsFrom" . -}}
{{- if or .Values.trustNetwork (and (ne $from "file") (not .Values.callers) .Values.networkPolicy.enabled) -}}true{{- end -}}
{{- end -}}

{{/* Variables of the container, but for those of the place where it listens. */}}
{{- define "dynamics-gateway.env" -}}
{{- $from := include "dynamics-gateway.settingsFrom" . -}}
{{- if eq $from "variables" }}
- { name: DYNAMICS_URL, value: {{ .Values.dynamics.url | quote }} }
{{- with .Values.dynamics.scope }}
- { name: DYNAMICS_SCOPE, value: {{ . | quote }} }
{{- end }}
{{- with .Values.azure.tenantId }}
- { name: AZURE_TENANT_ID, value: {{ . | quote }} }
{{- end }}
{{- with .Values.azure.clientId }}
- { name: AZURE_CLIENT_ID, value: {{ . | quote }} }
{{- end }}
{{- with .Values.azure.authorityHost }}
- { name: AZURE_AUTHORITY_HOST, value: {{ . | quote }} }
{{- end }}
{{- if eq .Values.credential.kind "workload-identity" }}
- { name: AZURE_FEDERATED_TOKEN_FILE, value: /var/run/secrets/azure/tokens/token }
{{- else if eq .Values.credential.kind "client-secret" }}
- { name: AZURE_CLIENT_SECRET_FILE, value: {{ printf "/secrets/%s" .Values.credential.secretKey | quote }} }
{{- else if eq .Values.credential.kind "certificate" }}
- { name: AZURE_CLIENT_CERTIFICATE_PATH, value: {{ printf "/secrets/%s" .Values.credential.certificateKey | quote }} }
{{- with .Values.credential.certificatePasswordKey }}
- { name: AZURE_CLIENT_CERTIFICATE_PASSWORD_FILE, value: {{ printf "/secrets/%s" . | quote }} }
{{- end }}
{{- else }}
- { name: CREDENTIAL, value: managed-identity }
{{- end }}
{{- else }}
- { name: GATEWAY_CONFIG, value: {{ printf "/settings/%s" (ternary "gateway.yaml" .Values.config.key (eq "true" (include "dynamics-gateway.ownSettingsFile" .))) | quote }} }
{{- end }}
- { name: PORT, value: {{ .Values.port | quote }} }
{{- if .Values.metrics.enabled }}
# The kubelet and Prometheus ask the address of the pod.
- { name: METRICS_HOST, value: {{ ternary "'::'" "0.0.0.0" (contains ":" .Values.host) }} }
- { name: METRICS_PORT, value: {{ .Values.metrics.port | quote }} }
{{- end }}
- { name: SHUTDOWN_TIMEOUT, value: {{ printf "%ds" (int .Values.shutdown.timeoutSeconds) }} }
{{- if .Values.redis.url }}
- { name: REDIS_URL, value: {{ .Values.redis.url | quote }} }
{{- end }}
{{- range $name, $key := dict "REDIS_URL_FILE" .Values.redis.urlKey "REDIS_PASSWORD_FILE" .Values.redis.passwordKey "REDIS_ENCRYPTION_KEY_FILE" .Values.redis.encryptionKeyKey "REDIS_CA_PATH" .Values.redis.caKey }}
{{- if $key }}
- { name: {{ $name }}, value: {{ printf "/redis/%s" $key | quote }} }
{{- end }}
{{- end }}
{{- with .Values.otel }}
{{- if .endpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }} }
- { name: OTEL_SERVICE_NAME, value: {{ default (include "dynamics-gateway.fullname" $) .serviceName | quote }} }
{{- range $name, $value := dict "OTEL_EXPORTER_OTLP_PROTOCOL" .protocol "OTEL_RESOURCE_ATTRIBUTES" .resourceAttributes "OTEL_TRACES_SAMPLER" .sampler "OTEL_TRACES_SAMPLER_ARG" .samplerArg }}
{{- if $value }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
{{- if .headersSecretName }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom: { secretKeyRef: { name: {{ .headersSecretName }}, key: {{ .headersSecretKey }} } }
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.extraCa.configMapName }}
- { name: NODE_EXTRA_CA_CERTS, value: {{ printf "/extra-ca/%s" .Values.extraCa.key | quote }} }
{{- end }}
{{- range $name, $value := .Values.env }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
