/** The `sluice` command line. Exit codes: 0 done, 1 the configuration or its run failed, 2 wrong usage. */
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { ADMIN_PORT, SNAPSHOT_VOLUME, STATUS_PORT } from '../proxy/pod/places.ts';
import {
  clusterOption,
  collect,
  contextOption,
  files,
  hostPort,
  ipAddress,
  kubeconfigOption,
  logFormat,
  namespaceOption,
  output,
  portNumber,
  seconds,
  servicePlace,
} from './options.ts';

const DEFAULT_ADMIN = `127.0.0.1:${ADMIN_PORT}`;

const program = new Command('sluice')
  .description('A gateway for real-time services, with exact limits on connections per user.')
  .version(packageJson.version)
  .showHelpAfterError('(sluice --help shows the commands, sluice COMMAND --help the options of one)')
  .exitOverride();

program
  .command('run')
  .description('Serve the gateways in the files on this machine, and follow changes of the files.')
  .addOption(files().makeOptionMandatory())
  .addOption(
    new Option('--admin <host:port>', 'address of the admin endpoints; port 0 picks one')
      .argParser(hostPort)
      .default(hostPort(DEFAULT_ADMIN), DEFAULT_ADMIN),
  )
  .option(
    '--address <address>',
    'IP address that listeners bind; :: opens them to the network',
    ipAddress,
    '127.0.0.1',
  )
  .addOption(
    new Option(
      '--service <name:port=host:port>',
      'where a Service is on this machine; NAMESPACE/ may stand before its name; may be repeated',
    )
      .argParser(servicePlace)
      .default([], 'none is known'),
  )
  .option(
    '--members <directory>',
    'count connections together with all processes of this machine that are given the same folder',
  )
  .addOption(logFormat('text'))
  .action(async (options) => {
    const { run } = await import('./run.ts');
    process.exitCode = await run(options);
  });

program
  .command('validate')
  .description('Check files, or what is in a cluster, and say everything that is wrong.')
  .addOption(files())
  .addOption(clusterOption())
  .addOption(namespaceOption())
  .addOption(kubeconfigOption())
  .addOption(contextOption())
  .addOption(output(['text', 'json']))
  .action(async (options, command: Command) => {
    requireInput(options, command);
    const { validate } = await import('./validate.ts');
    process.exitCode = await validate(options);
  });

program
  .command('translate')
  .description('Print the snapshots that files, or a cluster, compile to; private values are hidden.')
  .addOption(files())
  .addOption(clusterOption())
  .addOption(namespaceOption())
  .addOption(kubeconfigOption())
  .addOption(contextOption())
  .addOption(output(['yaml', 'json']))
  .action(async (options, command: Command) => {
    requireInput(options, command);
    const { translate } = await import('./translate.ts');
    process.exitCode = await translate(options);
  });

program
  .command('status')
  .description('Show what gateways, pools and rule lists of a cluster say of themselves.')
  .addOption(namespaceOption())
  .addOption(kubeconfigOption())
  .addOption(contextOption())
  .addOption(output(['text', 'json']))
  .action(async (options) => {
    const { status } = await import('./status.ts');
    process.exitCode = await status(options);
  });

program
  .command('operator')
  .description('Follow a cluster and keep the pods of its gateways; runs in a pod of the cluster.')
  .requiredOption('--image <image>', 'image of the proxy pods: the same as of this command')
  .addOption(
    new Option('--image-pull-policy <policy>', 'of the proxy pods')
      .choices(['Always', 'IfNotPresent', 'Never'])
      .default('IfNotPresent'),
  )
  .option('--image-pull-secret <name>', 'of the proxy pods; may be repeated', collect, [])
  .option('--watch-namespace <name>', 'read only this namespace; may be repeated', collect, [])
  .option('--leader-election-namespace <name>', 'where the Lease is; default: the namespace of the pod')
  .option('--status-port <port>', 'port of /healthz, /readyz and /metrics', portNumber, STATUS_PORT)
  .option('--no-network-policy', 'make no NetworkPolicies')
  .option('--no-ingress', 'leave Ingresses alone; their classes need rights for the whole cluster')
  .addOption(kubeconfigOption())
  .addOption(contextOption())
  .addOption(logFormat('text'))
  .action(async (options) => {
    const { operator } = await import('./operator.ts');
    process.exitCode = await operator(options);
  });

program
  .command('proxy')
  .description('Serve one gateway from its stored snapshot; runs in the pods that the operator makes.')
  .requiredOption('--namespace <name>', 'namespace of the gateway and of its snapshot')
  .requiredOption('--gateway <name>', 'the gateway to serve')
  .requiredOption('--snapshot-secret <name>', 'Secret that holds the snapshot, or names its parts')
  .option('--snapshot-volume <path>', 'where that Secret is mounted', SNAPSHOT_VOLUME)
  .option(
    '--shutdown-delay <seconds>',
    'how long connections are accepted on after SIGTERM, until nobody sends any',
    seconds,
    5,
  )
  .option('--address <address>', 'IP address that listeners bind; default: every address', ipAddress)
  .addOption(
    new Option('--admin <host:port>', 'address of the admin endpoints, which show users')
      .argParser(hostPort)
      .default(hostPort(DEFAULT_ADMIN), DEFAULT_ADMIN),
  )
  .option('--status-port <port>', 'port of /healthz, /readyz, /metrics and /report', portNumber, STATUS_PORT)
  .addOption(kubeconfigOption())
  .addOption(contextOption())
  .addOption(logFormat('json'))
  .action(async (options) => {
    const { proxy } = await import('./proxy.ts');
    process.exitCode = await proxy(options);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}

/** Without either there is nothing to work on. */
function requireInput(options: { file?: readonly string[]; cluster?: true }, command: Command): void {
  if (options.file === undefined && options.cluster === undefined) {
    command.error("error: found neither '-f, --file <path...>' nor '--cluster', expected one of them", {
      exitCode: 2,
    });
  }
}
