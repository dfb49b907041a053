{{/*
The gateway beside an app, as a native sidecar: ready before the app starts, and gone after it. For the initContainers of the app's own chart:

  initContainers:
    {{- include "dynamics-gateway.sidecar" (index .Subcharts "dynamics-gateway") | nindent 8 }}
*/}}
{{- define "dynamics-gateway.sidecar" -}}
{{- include "dynamics-gateway.checkValues" . -}}
- name: dynamics-gateway
  restartPolicy: Always
{{- include "dynamics-gateway.containerBody" (dict "context" . "host" "127.0.0.1") | nindent 2 }}
{{- if .Values.metrics.enabled }}
  ports:
    - { name: gateway-metrics, containerPort: {{ .Values.metrics.port }} }
{{- include "dynamics-gateway.probes" (dict "port" "gateway-metrics") | nindent 2 }}
{{- else }}
  # The gateway listens at loopback, where the kubelet cannot ask it; so it asks itself.
  startupProbe:
    exec: { command: [/nodejs/bin/node, /app/gateway.js, healthcheck] }
    periodSeconds: 2
    timeoutSeconds: 5
    failureThreshold: 30
{{- end }}
{{- end -}}

{{/* Volumes that the sidecar mounts, for the volumes of the app's own chart. */}}
{{- define "dynamics-gateway.volumes" -}}
{{- if eq .Values.credential.kind "workload-identity" }}
- name: gateway-token
  projected:
    sources:
      - serviceAccountToken: { path: token, audience: {{ .Values.credential.audience | quote }}, expirationSeconds: 3600 }
{{- end }}
{{- if .Values.credential.secretName }}
- name: gateway-secrets
  secret: { secretName: {{ .Values.credential.secretName }} }
{{- end }}
{{- if eq "true" (include "dynamics-gateway.ownSettingsFile" .) }}
- name: gateway-settings
  configMap: { name: {{ include "dynamics-gateway.fullname" . }} }
{{- else if .Values.config.configMapName }}
- name: gateway-settings
  configMap: { name: {{ .Values.config.configMapName }} }
{{- else if .Values.config.secretName }}
- name: gateway-settings
  secret: { secretName: {{ .Values.config.secretName }} }
{{- end }}
{{- if .Values.redis.secretName }}
- name: gateway-redis
  secret: { secretName: {{ .Values.redis.secretName }} }
{{- end }}
{{- if .Values.extraCa.configMapName }}
- name: gateway-extra-ca
  configMap: { name: {{ .Values.extraCa.configMapName }} }
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels by which the PodMonitor finds the pods of an app with the sidecar. */}}
{{- define "dynamics-gateway.sidecarLabels" -}}
dynamics-gateway/sidecar: {{ .Release.Name | quote }}
{{- end -}}

{{/* Changes when the settings file does; HOST, PORT and a few more settings count from the next start on. */}}
{{- define "dynamics-gateway.sidecarAnnotations" -}}
{{- if eq "true" (include "dynamics-gateway.ownSettingsFile" .) -}}
dynamics-gateway/settings: {{ include "dynamics-gateway.settingsFile" . | sha256sum | trunc 16 | quote }}
{{- end -}}
{{- end -}}

{{/* What service and sidecar have in common. */}}
{{- define "dynamics-gateway.containerBody" -}}
{{- $host := .host -}}
{{- with .context -}}
image: {{ include "dynamics-gateway.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - { name: HOST, value: {{ $host | quote }} }
{{- if and (ne $host "127.0.0.1") (eq "true" (include "dynamics-gateway.trustNetwork" .)) }}
  - { name: TRUST_NETWORK, value: 'true' }
{{- end }}
{{- if and (eq .Values.mode "service") (eq .Values.shutdown.delayBy "gateway") }}
  - { name: SHUTDOWN_DELAY, value: {{ printf "%ds" (int .Values.shutdown.delaySeconds) }} }
{{- end }}
{{- include "dynamics-gateway.env" . | trim | nindent 2 }}
{{- $mounts := include "dynamics-gateway.volumeMounts" . | trim }}
{{- with $mounts }}
# Folders, no subPaths: then what changes is seen without a restart.
volumeMounts:
{{- . | nindent 2 }}
{{- end }}
resources:
{{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 65532
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
{{- end -}}
{{- end -}}

{{- define "dynamics-gateway.volumeMounts" -}}
{{- if eq .Values.credential.kind "workload-identity" }}
- { name: gateway-token, mountPath: /var/run/secrets/azure/tokens, readOnly: true }
{{- end }}
{{- if .Values.credential.secretName }}
- { name: gateway-secrets, mountPath: /secrets, readOnly: true }
{{- end }}
{{- if ne "variables" (include "dynamics-gateway.settingsFrom" .) }}
- { name: gateway-settings, mountPath: /settings, readOnly: true }
{{- end }}
{{- if .Values.redis.secretName }}
- { name: gateway-redis, mountPath: /redis, readOnly: true }
{{- end }}
{{- if .Values.extraCa.configMapName }}
- { name: gateway-extra-ca, mountPath: /extra-ca, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dynamics-gateway.probes" -}}
startupProbe:
  httpGet: { path: /-/livez, port: {{ .port }} }
  periodSeconds: 1
  failureThreshold: 30
livenessProbe:
  httpGet: { path: /-/livez, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet: { path: /-/readyz, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}
