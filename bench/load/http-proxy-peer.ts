/** The yardstick: `http-proxy` 1.18 as its documentation shows it. `http-proxy-peer.ts PORT HTTP_PORT WEBSOCKET_PORT`. */
import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';

const [port, httpPort, webSocketPort] = process.argv.slice(2).map(Number);
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: 256 }) });
proxy.on('error', () => {});
const server = createServer((request, response) => {
  proxy.web(request, response, { target: `http://127.0.0.1:${httpPort}` });
});
server.on('upgrade', (request, socket, head) => {
  proxy.ws(request, socket, head, { target: `http://127.0.0.1:${webSocketPort}`, agent: false as never });
});
server.listen({ port: port!, host: '127.0.0.1', backlog: 4096 });
