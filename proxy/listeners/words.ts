/** A port, or one of its listeners, that is not served. */
export interface ListenFailure {
  readonly port: number;
  /** Names of the listeners that are not served because of it. */
  readonly listeners: readonly string[];
  /** For the person who wrote the configuration. */
  readonly message: string;
}

/** Why a port could not be opened. */
export function listenErrorInWords(error: NodeJS.ErrnoException, port: number, address: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another process`;
    case 'EACCES':
      return `port ${port} needs a privilege that this process does not have (ports below 1024 usually do)`;
    case 'EADDRNOTAVAIL':
      return `port ${port} cannot be opened on ${address}: this machine does not have the address`;
    case 'ENOTSUP':
    case 'ENOPROTOOPT':
      return `port ${port} cannot be shared by several workers on this system: set workers to 1`;
    default:
      return `port ${port} cannot be opened: ${error.message}`;
  }
}

/** Why a TLS handshake failed, as a metric label: a fixed set, whatever clients do. */
export type HandshakeFailure =
  | 'timeout'
  | 'client_closed'
  | 'plain_http'
  | 'not_tls'
  | 'malformed_hello'
  | 'hello_too_large'
  | 'unknown_server_name'
  | 'protocol_version'
  | 'no_common_cipher'
  | 'no_common_protocol'
  | 'certificate_refused_by_client'
  | 'client_certificate_missing'
  | 'client_certificate_expired'
  | 'client_certificate_untrusted'
  | 'other';

const BY_CODE: Readonly<Record<string, HandshakeFailure>> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ECONNRESET: 'client_closed',
  EPIPE: 'client_closed',
  ERR_SSL_UNEXPECTED_EOF_WHILE_READING: 'client_closed',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'protocol_version',
  ERR_SSL_VERSION_TOO_LOW: 'protocol_version',
  ERR_SSL_WRONG_VERSION_NUMBER: 'protocol_version',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'protocol_version',
  ERR_SSL_NO_SHARED_CIPHER: 'no_common_cipher',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'no_common_cipher',
  ERR_SSL_NO_SHARED_GROUP: 'no_common_cipher',
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 'no_common_cipher',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'no_common_protocol',
  ERR_SSL_SSL_TLSEXT_ERR_ALERT_FATAL: 'no_common_protocol',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'certificate_refused_by_client',
  ERR_SSL_TLSV1_ALERT_CERTIFICATE_UNKNOWN: 'certificate_refused_by_client',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'certificate_refused_by_client',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'certificate_refused_by_client',
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE': 'certificate_refused_by_client',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'certificate_refused_by_client',
};

export function handshakeFailure(error: NodeJS.ErrnoException): HandshakeFailure {
  return BY_CODE[error.code ?? ''] ?? 'other';
}

/** Why a client's certificate was not accepted. @param code of the verification, e.g. `CERT_HAS_EXPIRED` */
export function clientCertificateFailure(code: string): HandshakeFailure {
  return code === 'CERT_HAS_EXPIRED' ? 'client_certificate_expired' : 'client_certificate_untrusted';
}
