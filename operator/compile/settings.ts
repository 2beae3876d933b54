import type { Drain, Settings } from '../../proxy/config/snapshot.ts';
import { withDefaults } from '../resources/index.ts';
import type { GatewayResource } from './objects.ts';

/** The settings of a gateway with every default filled in. */
export function compileSettings({ body: { spec } }: GatewayResource): Settings {
  const { tcpKeepAliveSeconds } = withDefaults('EdgeGateway.spec', spec);
  const paths = withDefaults('EdgeGateway.spec.paths', spec.paths);
  const forwarded = withDefaults('EdgeGateway.spec.forwardedHeaders', spec.forwardedHeaders);
  const limits = withDefaults('EdgeGateway.spec.limits', spec.limits);
  const webSocket = withDefaults('EdgeGateway.spec.webSocket', spec.webSocket);
  const accessLog = withDefaults('EdgeGateway.spec.accessLog', spec.accessLog);
  return {
    workers: spec.workers ?? null,
    paths: { encodedSeparators: paths.encodedSeparators, emptySegments: paths.emptySegments },
    forwardedHeaders: { trustedHops: forwarded.trustedHops, emit: forwarded.emit },
    limits: {
      maxRequestHeaderBytes: limits.maxRequestHeaderBytes,
      maxRequestHeaders: limits.maxRequestHeaders,
      requestHeaderTimeoutMs: milliseconds(limits.requestHeaderTimeoutSeconds),
      maxRequestBodyBytes: limits.maxRequestBodyBytes,
      requestBodyIdleTimeoutMs: milliseconds(limits.requestBodyIdleTimeoutSeconds),
      keepAliveTimeoutMs: milliseconds(limits.keepAliveTimeoutSeconds),
      maxConnections: limits.maxConnections,
      maxPipelinedRequests: limits.maxPipelinedRequests,
    },
    webSocket: {
      pingIntervalMs: milliseconds(webSocket.pingIntervalSeconds),
      pongTimeoutMs: milliseconds(webSocket.pongTimeoutSeconds),
      idleTimeoutMs: milliseconds(webSocket.idleTimeoutSeconds),
      halfCloseTimeoutMs: milliseconds(webSocket.halfCloseTimeoutSeconds),
    },
    tcpKeepAliveMs: milliseconds(tcpKeepAliveSeconds),
    drain: compileDrain(withDefaults('EdgeGateway.spec.drain', spec.drain)),
    accessLog: {
      mode: accessLog.mode === 'None' ? 'Off' : accessLog.mode,
      sampleRatio: accessLog.mode === 'Sampled' ? accessLog.sampleRatio : 1,
    },
  };
}

export function compileDrain(drain: { timeoutSeconds: number; jitterSeconds: number }): Drain {
  return { timeoutMs: milliseconds(drain.timeoutSeconds), jitterMs: milliseconds(drain.jitterSeconds) };
}

/** Whole milliseconds; what is more than nothing stays so, since 0 often means off. */
export function milliseconds(seconds: number): number {
  return seconds > 0 ? Math.max(1, Math.round(seconds * 1000)) : 0;
}
