import GPUs
import SweepModel
import Testing
import Yams

@testable import Launchers

/// GPUs in cluster files, and what becomes of them.
@Suite struct GPUTests {
    private func parse(_ group: String) throws(SweepFileError) -> Cluster {
        try ClusterFile.parse("workers:\n  - \(group)\n", name: "lab.yaml")
    }

    private func slurmScript(_ fields: String) throws -> (text: String, slots: Int) {
        let group = try #require(try parse("slurm: {\(fields)}").slurm.first)
        let sweep = LaunchedSweep(
            run: "paper-1", folder: RunFolder("/runs/paper-1"), endpoint: "tcp://head:5555",
            certificatePath: nil)
        let script = SlurmScript(sweep: sweep, group: group, index: 0)
        return (script.text(key: nil), script.slots)
    }

    @Test(
        "a group names its machines' GPUs: all, by number, or by UUID",
        arguments: [
            ("all", "--gpus all"), ("[0, 1]", "--gpus 0,1"), ("\"0,1\"", "--gpus 0,1"),
            ("[GPU-8932f937]", "--gpus GPU-8932f937"), ("[2]", "--gpus 2"),
        ])
    func named(text: String, options: String) throws {
        let local = try parse("local: {gpus: \(text)}").local
        #expect(local?.options(slots: nil) == "\(options) --threads 1")
        let ssh = try parse("ssh: {hosts: [a], gpus: \(text), slots_per_gpu: 3, gpu_memory: 6000}")
        #expect(
            ssh.ssh.first?.setup.options(slots: nil)
                == "\(options) --slots-per-gpu 3 --gpu-memory 6000 --threads 1")
    }

    @Test("a job's GPUs are counted: Slurm gives them, and the worker uses all that it is given")
    func counted() throws {
        let (text, slots) = try slurmScript("gpus: 2, slots_per_gpu: 3, threads: 2")
        #expect(text.contains("#SBATCH --gres=gpu:2\n"))
        #expect(text.contains(" worker --connect tcp://head:5555 --gpus all --slots-per-gpu 3 "))
        #expect(!text.contains("--slots "))
        #expect(slots == 6 && text.contains("#SBATCH --cpus-per-task=12\n"))
    }

    @Test("what gres says of GPUs is as good")
    func resources() throws {
        let (text, slots) = try slurmScript("gres: \"gpu:h100:2\", slots_per_gpu: 2")
        #expect(text.contains("#SBATCH --gres=gpu:h100:2\n"))
        #expect(text.contains(" --gpus all --slots-per-gpu 2 ") && slots == 4)
        let other = try slurmScript("gres: \"lustre:1\", gpus: 1")
        #expect(other.text.contains("#SBATCH --gres=lustre:1,gpu:1\n"))
        let none = try slurmScript("gres: \"lustre:1\", slots: 2")
        #expect(none.text.contains(" --slots 2 ") && !none.text.contains("--gpus"))
    }

    @Test(
        "GPUs are counted in what Slurm's gres asks for",
        arguments: [
            ("gpu", 1), ("gpu:2", 2), ("gpu:h100", 1), ("gpu:h100:4", 4),
            ("gpu:a:1,gpu:b:2,shard:3", 3), ("gpus:2", nil), ("shard:3", nil),
        ] as [(String, Int?)])
    func counts(resources: String, count: Int?) {
        #expect(gpuCount(inResources: resources) == count)
    }

    @Test("a pod asks for its GPUs, and its worker uses them")
    func kubernetes() throws {
        let group = try #require(
            try parse("kubernetes: {image: i, gpus: 2, slots_per_gpu: 3}").kubernetes)
        let text = try KubernetesManifest(
            group, sweep: "tiny", text: "name: tiny\n", launchOptions: [], keys: nil
        ).text()
        let objects = Array(try Yams.compose_all(yaml: text))
        let schema = try KubernetesSchema()
        for object in objects { #expect(schema.faults(of: object) == []) }
        let containers = objects.compactMap { object -> Node? in
            object["spec"]?["template"]?["spec"]?["containers"]?[0]
        }
        let container = try #require(containers.last)
        #expect(container["resources"]?["limits"]?["nvidia.com/gpu"]?.int == 2)
        #expect(container["resources"]?["limits"]?["cpu"]?.int == 6)
        let arguments = container["args"]?.sequence?.compactMap(\.string) ?? []
        #expect(arguments.contains(["--gpus", "all", "--slots-per-gpu", "3"]))
    }

    @Test(
        "a mistake is told with its place and what to write",
        arguments: [
            ("local: {gpus: 2}", "lab.yaml:2:19: gpus is '2'; it is all, or a list"),
            ("local: {gpus: [0, x]}", "lab.yaml:2:19: gpus is"),
            ("local: {gpus: all, slots: 2}", "lab.yaml:2:31: slots are a worker's on processors"),
            ("local: {slots_per_gpu: 2}", "lab.yaml:2:28: slots_per_gpu needs gpus"),
            ("slurm: {gpu_memory: 2}", "lab.yaml:2:25: gpu_memory needs gpus"),
            ("slurm: {gpus: all}", "gpus is 'all'; it is a whole number from 1 to 64"),
            ("slurm: {gpus: 1, gres: \"gpu:1\"}", "lab.yaml:2:19: gpus and gres both ask"),
            ("local: {gpus: all, slots_per_gpu: 0}", "slots_per_gpu is '0'"),
            (
                "ssh: {hosts: [{host: a, slots: 2}], gpus: all}",
                "host 'a' has slots, and the group's trials run on GPUs"
            ),
            ("local: {gpu: all}", "unknown key 'gpu' (did you mean 'gpus'?)"),
        ])
    func mistakes(group: String, message: String) {
        let error = #expect(throws: SweepFileError.self) { try parse(group) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }
}
