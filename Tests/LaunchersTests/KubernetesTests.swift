import Foundation
import SweepModel
import Testing
import Yams

@testable import Launchers

@Suite struct KubernetesTests {
    private static let sweepText = "name: tiny\nstages: []  # \"quotes\": and colons\n"
    private static let keys = KubernetesManifest.Keys(
        server: "# server\ncurve\n    key = \"a&b\"\n", client: "# client\n")

    private func group(_ fields: String) throws -> KubernetesGroup {
        let text = "workers:\n  - kubernetes: {image: example.org/alsweep:0.1\(fields)}"
        return try #require(try ClusterFile.parse(text, name: "lab.yaml").kubernetes)
    }

    private func objects(
        _ group: KubernetesGroup, sweep: String = "tiny", keys: KubernetesManifest.Keys? = keys
    ) throws -> [Node] {
        let text = try KubernetesManifest(
            group, sweep: sweep, text: Self.sweepText, launchOptions: ["--engine", "openblas"],
            keys: keys
        ).text()
        return Array(try Yams.compose_all(yaml: text))
    }

    private func object(_ kind: String, _ ending: String, of objects: [Node]) throws -> Node {
        try #require(
            objects.first {
                $0["kind"]?.string == kind
                    && $0["metadata"]?["name"]?.string?.hasSuffix(ending) == true
            })
    }

    private func pod(_ part: String, of objects: [Node]) throws -> Node {
        try #require(
            try object("Job", "-" + part, of: objects)["spec"]?["template"]?["spec"])
    }

    private static let everything = """
        , namespace: learning, workers: 8, slots: 4, threads: 2, cpus: 6, memory: 16Gi, \
        labels: {team: "7", example.org/cost: "true"}, node_selector: {pool: cpu}, \
        environment: {OPENBLAS_CORETYPE: SkylakeX, A: "1", B: "yes", C: "x: y"}, \
        data_claim: datasets, data: /datasets, runs_claim: shared-runs
        """

    @Test(
        "what is rendered is what Kubernetes describes",
        arguments: ["", everything, ", secret: my-keys, storage: 1.5Ti", ", data: /opt/data"])
    func matchesSchema(fields: String) throws {
        let schema = try KubernetesSchema()
        for object in try objects(try group(fields)) {
            #expect(schema.faults(of: object) == [])
        }
    }

    @Test(
        "the schema finds what Kubernetes would refuse",
        arguments: [
            ("completions: 2", "completions: two", "Job.spec.completions is of type string"),
            ("completions: 2", "completion: 2", "Job.spec has no field completion"),
            ("kind: Job", "kind: Jobs", "there is no batch/v1 Jobs"),
            ("- name: alsweep", "- nane: alsweep", "containers[0] lacks name"),
            ("value: \"1\"", "value: 1", "env[1].value is of type integer"),
        ])
    func schemaFindsFaults(text: String, wrong: String, fault: String) throws {
        let manifest = try KubernetesManifest(
            try group(", workers: 2, environment: {A: \"1\"}"), sweep: "tiny",
            text: Self.sweepText, launchOptions: [], keys: Self.keys
        ).text()
        let changed = manifest.replacingOccurrences(of: text, with: wrong)
        try #require(changed != manifest, "\(text) is not in\n\(manifest)")
        let schema = try KubernetesSchema()
        let faults = try Yams.compose_all(yaml: changed).flatMap(schema.faults)
        #expect(faults.contains { $0.contains(fault) }, "\(faults)")
    }

    @Test("workers and coordinator find each other, the sweep and the keys")
    func references() throws {
        let objects = try objects(try group(Self.everything))
        let name = "alsweep-tiny"
        let sweep = try object("ConfigMap", name, of: objects)
        #expect(sweep["data"]?["sweep.yaml"]?.string == Self.sweepText)
        let secret = try object("Secret", name + "-keys", of: objects)
        #expect(secret["stringData"]?["server.cert"]?.string == Self.keys.server)
        #expect(secret["stringData"]?["client.cert"]?.string == Self.keys.client)
        let selector = try #require(try object("Service", name, of: objects)["spec"]?["selector"])
        let coordinator = try object("Job", name + "-coordinator", of: objects)
        let labels = try #require(coordinator["spec"]?["template"]?["metadata"]?["labels"])
        for (key, value) in try #require(selector.mapping) { #expect(labels[key] == value) }
        let worker = try object("Job", name + "-workers", of: objects)
        #expect(
            worker["spec"]?["template"]?["metadata"]?["labels"]?["app.kubernetes.io/component"]
                != selector["app.kubernetes.io/component"])
        #expect(
            arguments(try pod("coordinator", of: objects))
                == "launch /sweep/sweep.yaml --slots 0 --bind tcp://*:5555 --certificate "
                + "/keys/server.cert --runs /runs --engine openblas")
        #expect(
            arguments(try pod("workers", of: objects))
                == "worker --connect tcp://alsweep-tiny:5555 --certificate /keys/client.cert "
                + "--slots 4 --threads 2 --scratch /scratch --connect-timeout 3600 --data /datasets"
        )
        for part in ["coordinator", "workers"] {
            let pod = try pod(part, of: objects)
            let container = try #require(pod["containers"]?[0])
            let mounted =
                container["volumeMounts"]?.sequence?.compactMap { $0["name"]?.string } ?? []
            let volumes = pod["volumes"]?.sequence?.compactMap { $0["name"]?.string } ?? []
            #expect(Set(mounted).isSubset(of: volumes) && mounted.contains("keys"))
        }
    }

    private func arguments(_ pod: Node) -> String {
        (pod["containers"]?[0]?["args"]?.sequence?.compactMap(\.string) ?? [])
            .joined(separator: " ")
    }

    @Test("a group's settings reach the workers' pods")
    func settings() throws {
        let objects = try objects(try group(Self.everything))
        let job = try #require(try object("Job", "-workers", of: objects)["spec"])
        #expect(job["completions"]?.int == 8 && job["parallelism"]?.int == 8)
        #expect(job["completionMode"]?.string == "Indexed")
        let pod = try pod("workers", of: objects)
        let container = try #require(pod["containers"]?[0])
        #expect(container["resources"]?["limits"]?["cpu"]?.int == 6)
        #expect(container["resources"]?["requests"]?["memory"]?.string == "16Gi")
        #expect(pod["nodeSelector"]?["pool"]?.string == "cpu")
        let variables = container["env"]?.sequence?.map {
            "\($0["name"]?.string ?? "")=\($0["value"]?.string ?? "")"
        }
        #expect(
            variables == [
                "XDG_CACHE_HOME=/scratch/cache", "OPENBLAS_CORETYPE=SkylakeX", "A=1", "B=yes",
                "C=x: y",
            ])
        for object in objects {
            #expect(object["metadata"]?["namespace"]?.string == "learning")
            #expect(object["metadata"]?["labels"]?["team"] == Node("7", Tag(.str)))
        }
        #expect(!objects.contains { $0["kind"]?.string == "PersistentVolumeClaim" })
    }

    @Test("a Secret and a claim that are there are not made")
    func existing() throws {
        let named = try objects(try group(", secret: my-keys"), keys: nil)
        #expect(!named.contains { $0["kind"]?.string == "Secret" })
        let volumes = try pod("workers", of: named)["volumes"]?.sequence ?? []
        #expect(volumes.contains { $0["secret"]?["secretName"]?.string == "my-keys" })
        let claim = try object("PersistentVolumeClaim", "-runs", of: named)
        #expect(claim["spec"]?["resources"]?["requests"]?["storage"]?.string == "10Gi")
        // Only the coordinator mounts a claim of its own: others may not be able to.
        #expect(!volumes.contains { $0["name"]?.string == "runs" })
    }

    @Test(
        "a sweep's name becomes one that Kubernetes takes",
        arguments: [
            ("tiny", "alsweep-tiny"), ("My_Sweep.2", "alsweep-my-sweep-2"),
            ("a-" + String(repeating: "x", count: 60), nil), ("été", nil), ("--", "alsweep-sweep"),
        ] as [(String, String?)])
    func names(sweep: String, name: String?) throws {
        for object in try objects(try group(", workers: 10000"), sweep: sweep) {
            let found = try #require(object["metadata"]?["name"]?.string)
            #expect(found.wholeMatch(of: /[a-z]([a-z0-9-]*[a-z0-9])?/) != nil, "\(found)")
            // An Indexed Job's pods are named after it and their index.
            #expect((found + "-9999").utf8.count <= 63, "\(found)")
            if let name { #expect(found.hasPrefix(name)) }
        }
    }

    @Test(
        "a mistake in a kubernetes group is told with its place",
        arguments: [
            (": {}", "lab.yaml:2:17: a kubernetes group lacks the key 'image'"),
            (": {imgae: a}", "lab.yaml:2:18: unknown key 'imgae' (did you mean 'image'?)"),
            (": {image: a, memory: 8GB}", "memory is '8GB'; write it as in 8Gi"),
            (": {image: a, workers: 0}", "workers is '0'; it is a whole number from 1 to 10000"),
            (": {image: a, namespace: My}", "namespace is 'My'; write it as in learning-1"),
            (": {image: a, labels: {a: b c}}", "the label a is 'b c'"),
            (": {image: a, data: sets}", "data is 'sets'; in a pod it is a path from /"),
            (
                ": {image: a, runs_claim: r, storage: 1Gi}",
                "storage is of a claim that is made, and runs_claim names one that is there"
            ),
            (": {image: a}\n  - local", "a kubernetes group stands alone"),
            (": {image: a}\n  - kubernetes: {image: b}", "there are two kubernetes groups"),
            (": {image: a}\nhost: h", "lab.yaml:3:7: host has no meaning with a kubernetes group"),
        ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: SweepFileError.self) {
            try ClusterFile.parse("workers:\n  - kubernetes" + text, name: "lab.yaml")
        }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "none")")
    }
}
