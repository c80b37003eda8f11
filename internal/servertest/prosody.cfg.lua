-- All listeners are on the loopback interface, and there are no others.
interfaces = { "127.0.0.1" }
c2s_ports = { {{.C2S}} }
c2s_direct_tls_ports = { {{.TLS}} }
http_ports = { {{.HTTP}} }
https_ports = {}
{{- if .Component}}
component_ports = { {{.ComponentPort}} }
{{- else}}
component_ports = {}
{{- end}}
http_default_host = "localhost"

run_as_root = true
data_path = "{{.Dir}}/data"
log = { info = "{{.Dir}}/{{.LogFile}}" }
admins = { "admin@localhost" }

ssl = {
	certificate = "{{.Dir}}/cert.pem";
	key = "{{.Dir}}/key.pem";
{{- if .MaxTLS12}}
	protocol = "tlsv1_2";
{{- end}}
}
c2s_require_encryption = true
-- BOSH and WebSocket come without TLS, from a proxy on this machine.
consider_bosh_secure = true
consider_websocket_secure = true
cross_domain_websocket = true

authentication = "internal_hashed"
password_hash = "{{if .SCRAM256}}SHA-256{{else}}SHA-1{{end}}"

c2s_stanza_size_limit = 4 * 1024 * 1024
{{- if .RateLimit}}
limits = { c2s = { rate = "10kb/s" } }
unlimited_jids = { "admin@localhost" }
{{- end}}

modules_enabled = {
	"roster", "saslauth", "tls", "disco", "ping", "smacks", "pep",
	"bosh", "websocket",
{{- if .RateLimit}}
	"limits",
{{- end}}
}
modules_disabled = { "s2s" }

VirtualHost "localhost"

Component "pubsub.localhost" "pubsub"
	pubsub_max_items = 10000
{{- if .Component}}

Component "{{.Component}}"
	component_secret = "{{.ComponentSecret}}"
{{- end}}
