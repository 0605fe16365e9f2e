// What people do with dockerode, against the engine that DOCKER_HOST names. Prints what it saw as one JSON object.
const Docker = require('dockerode');
const { PassThrough } = require('stream');
const docker = new Docker();
const name = process.argv[2];

const gather = (stream) => new Promise((done, failed) => {
  let text = '';
  const out = new PassThrough();
  out.on('data', (data) => { text += data; });
  stream.on('error', failed);
  stream.on('end', () => done(text));
  stream.on('close', () => done(text));
  docker.modem.demuxStream(stream, out, out);
});
const status = (call) => call.then(() => 200, (error) => error.statusCode);

async function main() {
  const seen = {};
  seen.ping = (await docker.ping()).toString();
  const images = await docker.listImages({ filters: { reference: ['busybox'] } });
  seen.images = images.map((image) => image.RepoTags);
  seen.missing = await status(docker.createContainer({ Image: 'nosuch:1' }));

  const since = Math.floor(Date.now() / 1000) - 1;
  const volume = await docker.createVolume({ Name: `${name}-data` });
  const network = await docker.createNetwork({ Name: `${name}-net`, Labels: { made: name } });
  seen.networks = (await docker.listNetworks({ filters: { label: [`made=${name}`] } })).map((each) => each.Name);
  seen.network = (await docker.getNetwork(`${name}-net`).inspect()).Name;
  seen.volumes = (await docker.listVolumes({ filters: { name: [`${name}-data`] } })).Volumes.map((each) => each.Name);
  seen.volume = (await docker.getVolume(volume.name || `${name}-data`).inspect()).Name;

  const container = await docker.createContainer({
    Image: 'busybox', name, Cmd: ['sh', '-c', 'echo out; echo kept > /data/f; read line; echo got $line; sleep 1000'],
    OpenStdin: true, AttachStdin: true, AttachStdout: true, AttachStderr: true, Labels: { made: name },
    HostConfig: { Binds: [`${name}-data:/data`], NetworkMode: `${name}-net` },
  });
  seen.again = await status(docker.createContainer({ Image: 'busybox', name }));
  const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const told = new Promise((done) => {
    let text = '';
    const out = new PassThrough();
    out.on('data', (data) => { text += data; if (text.includes('got')) done(text); });
    docker.modem.demuxStream(attached, out, out);
  });
  await container.start();
  attached.write('a line\n');
  seen.attached = await told;
  attached.destroy();
  const inspected = await docker.getContainer(name).inspect();
  seen.inspected = [inspected.Name, inspected.State.Running, inspected.Config.Labels.made];
  seen.listed = (await docker.listContainers({ filters: { label: [`made=${name}`] } })).map((each) => each.Names[0].split('/').pop());
  const exec = await container.exec({ Cmd: ['sh', '-c', 'cat /data/f; exit 3'], AttachStdout: true, AttachStderr: true });
  seen.exec = await gather(await exec.start({ hijack: true, stdin: false }));
  seen.code = (await exec.inspect()).ExitCode;
  seen.logs = (await container.logs({ stdout: true, stderr: true, follow: false })).toString().includes('got a line');
  seen.stats = (await container.stats({ stream: false })).name.split('/').pop();
  await container.stop({ t: 0 });
  seen.waited = (await container.wait()).StatusCode;
  await container.remove();
  seen.gone = await status(container.inspect());

  const output = new PassThrough();
  let ran = '';
  output.on('data', (data) => { ran += data; });
  const [result] = await docker.run('busybox', ['echo', 'ran'], output, { Tty: false, HostConfig: { AutoRemove: true } });
  seen.ran = [result.StatusCode, ran.includes('ran')];

  const until = Math.floor(Date.now() / 1000) + 1;
  const events = await docker.getEvents({ since, until, filters: { type: ['container'], container: [name], event: ['create', 'start', 'die', 'destroy'] } });
  const text = await new Promise((done) => {
    let all = '';
    events.on('data', (data) => { all += data; });
    events.on('end', () => done(all));
  });
  seen.events = text.trim().split('\n').map((line) => JSON.parse(line)).map((event) => [event.Action, event.Actor.Attributes.name.split('/').pop()]);
  seen.pruned = Object.keys(await docker.pruneContainers({ filters: { label: [`made=${name}`] } })).sort();
  await docker.getNetwork(`${name}-net`).remove();
  await docker.getVolume(`${name}-data`).remove();
  seen.left = [await status(network.inspect()), await status(docker.getVolume(`${name}-data`).inspect())];
  console.log(JSON.stringify(seen));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
