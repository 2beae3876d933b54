/** What holds for all gateways of an operator, as its command line says. */
export interface InfrastructureSettings {
  /** Of the pods' container. */
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of Secrets; they must be in each gateway's namespace. */
  readonly imagePullSecrets: readonly string[];
  readonly operatorNamespace: string;
  readonly operatorPodLabels: Readonly<Record<string, string>>;
  /** Whether gateways get a NetworkPolicy. */
  readonly networkPolicy: boolean;
  /**
   * Who, besides the operator, may reach the status port, for instance to scrape metrics: peers of a NetworkPolicy.
   * Unless given, every pod of the cluster: nothing there is secret.
   */
  readonly statusClients?: readonly object[];
  /** How long a pod that is to stop still accepts connections. */
  readonly shutdownDelaySeconds: number;
}
