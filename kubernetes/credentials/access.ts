/** How to reach an API server, and as whom. */

export interface TlsMaterial {
  /** PEM; the system's CAs when absent. */
  readonly ca?: string;
  /** PEM of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must carry, where it is not the host of the URL. */
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

export interface Access {
  /** The server's URL, without a slash at the end. */
  readonly server: string;
  /** The same object until something in it changes: connections are kept for as long as it is the same. */
  readonly tls: TlsMaterial;
  /** `authorization` and impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly proxyUrl: string | null;
}

export interface Credentials {
  /** The namespace to use where none is given. */
  readonly namespace: string;
  /**
   * What is valid now; asked before every request, so it caches what is dear to get.
   *
   * @throws CredentialsError
   */
  access(): Promise<Access>;
  /** The server refused what `access` gave: forgets what may have been replaced in the meantime. */
  invalidate(): void;
}

/** Keeps the first of several equal materials, so that connections are not opened anew for nothing. */
export function stableTls(): (tls: TlsMaterial) => TlsMaterial {
  let last: { readonly text: string; readonly tls: TlsMaterial } | null = null;
  return (tls) => {
    const text = JSON.stringify(tls);
    if (last?.text !== text) last = { text, tls };
    return last.tls;
  };
}
