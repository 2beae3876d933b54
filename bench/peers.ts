/**
 * The proxies that are measured: each forwards PROXY_PORT to the HTTP backend and `/ws` to the WebSocket backend, on one
 * worker, with a route table, access log and metrics on where the proxy has them.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Ports {
  readonly proxy: number;
  readonly http: number;
  readonly webSocket: number;
  readonly admin: number;
}

export interface Peer {
  readonly name: string;
  /** Command line, or `null` when the program is not on this machine. */
  prepare(folder: string, ports: Ports): readonly string[] | null;
}

/** Connections of clients; each takes two file descriptors, of which 20,000 must do. */
const MAX_CONNECTIONS = 9_500;
/** Connections of one side. */
const MAX_SOCKETS = 2 * MAX_CONNECTIONS;

const sluice: Peer = {
  name: 'Sluice',
  prepare(folder, ports) {
    const file = join(folder, 'sluice.yaml');
    writeFileSync(
      file,
      `apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: bench}
spec:
  workers: 1
  accessLog: {mode: All}
  listeners:
    - {name: web, protocol: HTTP, port: ${ports.proxy}}
  routes:
    - {name: ws, match: {paths: [{type: PathPrefix, value: /ws}]}, backend: {pool: websocket}}
    - {name: all, match: {paths: [{type: PathPrefix, value: /}]}, backend: {pool: http}}
---
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: http}
spec:
  protocol: HTTP
  targets: [{ip: 127.0.0.1, port: ${ports.http}}]
---
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: websocket}
spec:
  protocol: HTTP
  targets: [{ip: 127.0.0.1, port: ${ports.webSocket}}]
`,
    );
    const cli = join(import.meta.dirname, '..', 'cli', 'main.ts');
    return [process.execPath, cli, 'run', '-f', file, '--admin', `127.0.0.1:${ports.admin}`];
  },
};

const haproxy: Peer = {
  name: 'HAProxy',
  prepare(folder, ports) {
    const program = installed('/usr/sbin/haproxy');
    if (program === null) return null;
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(
      file,
      `global
  maxconn ${MAX_CONNECTIONS}
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend web
  bind 127.0.0.1:${ports.proxy}
  maxconn ${MAX_CONNECTIONS}
  use_backend websocket if { path_beg /ws }
  default_backend http
frontend stats
  bind 127.0.0.1:${ports.admin}
  http-request use-service prometheus-exporter if { path /metrics }
backend http
  http-reuse always
  server a 127.0.0.1:${ports.http}
backend websocket
  server a 127.0.0.1:${ports.webSocket}
`,
    );
    return [program, '-db', '-f', file];
  },
};

const nginx: Peer = {
  name: 'nginx',
  prepare(folder, ports) {
    const program = installed('/usr/sbin/nginx');
    if (program === null) return null;
    mkdirSync(join(folder, 'nginx'), { recursive: true });
    const file = join(folder, 'nginx.conf');
    writeFileSync(
      file,
      `${nginxFrame(folder, 'nginx')}
http {
  access_log ${join(folder, 'nginx', 'access.log')};
  keepalive_requests 1000000000;
${nginxTemporaryPaths(folder, 'nginx')}
  upstream http { server 127.0.0.1:${ports.http}; keepalive 256; keepalive_requests 1000000000; }
  upstream websocket { server 127.0.0.1:${ports.webSocket}; }
  server {
    listen 127.0.0.1:${ports.proxy} backlog=4096;
    proxy_http_version 1.1;
    proxy_read_timeout 600s;
    location / { proxy_pass http://http; proxy_set_header Connection ""; }
    location /ws {
      proxy_pass http://websocket;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
    location = /stub_status { stub_status; }
  }
}
`,
    );
    return [program, '-c', file, '-p', folder, '-e', 'stderr'];
  },
};

const envoy: Peer = {
  name: 'Envoy',
  prepare(folder, ports) {
    const cache = process.env.SLUICE_CACHE ?? join(homedir(), '.cache', 'sluice');
    const program = installed(join(cache, 'envoy-1.39.3', 'bin', 'envoy'));
    if (program === null) return null;
    const file = join(folder, 'envoy.json');
    const cluster = (name: string, port: number): object => ({
      name,
      type: 'STATIC',
      connect_timeout: '5s',
      circuit_breakers: {
        thresholds: [
          {
            max_connections: MAX_CONNECTIONS,
            max_pending_requests: MAX_CONNECTIONS,
            max_requests: MAX_CONNECTIONS,
          },
        ],
      },
      load_assignment: {
        cluster_name: name,
        endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
      },
    });
    const manager = {
      '@type':
        'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'web',
      stream_idle_timeout: '0s',
      upgrade_configs: [{ upgrade_type: 'websocket' }],
      access_log: [
        {
          name: 'file',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
            path: join(folder, 'envoy-access.log'),
          },
        },
      ],
      http_filters: [
        {
          name: 'router',
          typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
        },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              { match: { prefix: '/ws' }, route: { cluster: 'websocket', timeout: '0s' } },
              { match: { prefix: '/' }, route: { cluster: 'http' } },
            ],
          },
        ],
      },
    };
    writeFileSync(
      file,
      JSON.stringify({
        admin: { address: socketAddress(ports.admin) },
        static_resources: {
          listeners: [
            {
              name: 'web',
              address: socketAddress(ports.proxy),
              filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
            },
          ],
          clusters: [cluster('http', ports.http), cluster('websocket', ports.webSocket)],
        },
      }),
    );
    return [program, '-c', file, '--concurrency', '1', '--log-level', 'error', '--disable-hot-restart'];
  },
};

const httpProxy: Peer = {
  name: 'http-proxy',
  prepare(_folder, ports) {
    const program = join(import.meta.dirname, 'load', 'http-proxy-peer.ts');
    return [process.execPath, program, String(ports.proxy), String(ports.http), String(ports.webSocket)];
  },
};

export const PEERS: readonly Peer[] = [sluice, haproxy, nginx, envoy, httpProxy];

/** The HTTP backend of every measurement: nginx with a small constant answer. */
export function backendCommand(folder: string, port: number): readonly string[] {
  const program = installed('/usr/sbin/nginx');
  if (program === null) throw new Error('nginx is needed as the HTTP backend');
  mkdirSync(join(folder, 'backend'), { recursive: true });
  const file = join(folder, 'backend.conf');
  writeFileSync(
    file,
    `${nginxFrame(folder, 'backend')}
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
${nginxTemporaryPaths(folder, 'backend')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type text/plain; return 200 "forty-six bytes of text, as small answers are\\n"; }
  }
}
`,
  );
  return [program, '-c', file, '-p', folder, '-e', 'stderr'];
}

function nginxFrame(folder: string, name: string): string {
  return `daemon off;
worker_processes 1;
pid ${join(folder, name, 'pid')};
error_log stderr error;
events { worker_connections ${MAX_SOCKETS}; }`;
}

function nginxTemporaryPaths(folder: string, name: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `  ${kind}_temp_path ${join(folder, name, kind)};`)
    .join('\n');
}

function socketAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function installed(path: string): string | null {
  return existsSync(path) ? path : null;
}
