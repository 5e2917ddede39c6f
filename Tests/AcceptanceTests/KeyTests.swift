import Foundation
import SweepModel
import Testing
import Transport
import Wire

/// A peer that speaks the protocol, and means no good.
private struct Peer: ~Copyable {
    private let socket: DealerSocket
    private let worker = WorkerID(UUID().uuidString)

    init(_ security: DealerSecurity, at endpoint: Endpoint) throws {
        let dealer = try DealerSocket(context: try Context(), security: security)
        try dealer.connect(to: endpoint)
        socket = dealer
    }

    /// Sends a message again and again.
    ///
    /// - Returns: how many left, and the answers.
    func repeatedly(
        _ message: Message, seconds: Double, isAnonymous: Bool = false
    ) throws -> (count: Int, answers: [Message]) {
        var (count, answers) = (0, [Message]())
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            let name = isAnonymous ? WorkerID(UUID().uuidString) : worker
            let header = Header(run: "", epoch: 0, worker: name, messageNumber: 1)
            let frames = FrameMessage(
                type: message.type.rawValue, header: header.bytes(), body: message.body())
            if socket.send(frames) == .sent { count += 1 } else { usleep(1_000) }
            if answers.count < 100, case .message(let frames) = socket.receive(),
                let told = try? Outbox.messages(type: frames.type, body: frames.body)
            {
                answers += told
            }
        }
        return (count, answers)
    }
}

extension Acceptance {
    /// Peers without a right to what they want.
    @Suite struct KeyTests {
        @Test("strangers, a worker that commands, a flood, and a revoked worker: the sweep goes on")
        func hostilePeers() throws {
            let folder = try TemporaryFolder()
            try TinySweep.write(TinySweep.firstStage(epochs: 12), to: folder)
            func run(_ arguments: String...) throws -> Program.Result {
                try Program.run(arguments, in: folder)
            }
            #expect(try run("keys", "new", "keys").status == 0)
            #expect(try run("keys", "new", "keys", "--role", "worker", "--name", "lab").status == 0)
            #expect(
                try run("keys", "new", "keys", "--role", "client", "--name", "boss").status == 0)
            let launched = try Program.start(
                [
                    "launch", "tiny.yaml", "--bind", "tcp://127.0.0.1:*", "--control",
                    "tcp://127.0.0.1:*", "--certificate", "keys/server.cert",
                ], in: folder)
            try launched.waitForErrors(containing: "cycle 1/3")
            let name = try onlyRun(in: folder)
            // However fast the machine, the third trial is still to come when all is over.
            #expect(try run("pause", name).status == 0)
            let place = RunFolder(folder.path + "/" + name)
            let (worker, control) = (
                try endpoint(place.endpoint), try endpoint(place.controlEndpoint)
            )

            // A worker's key opens no control socket, and commands nothing at its own.
            let shut = try run(
                "cancel", "--connect", control.description, "--certificate", "keys/lab.cert")
            #expect(
                shut.status == 1 && shut.errors.contains("does not take commands with this key"))
            let lab = try ClientCertificate(path: folder.path + "/keys/lab.cert")
            let mutineer = try Peer(.curve(lab), at: worker)
            let (_, answers) = try mutineer.repeatedly(.command(.cancel(.all)), seconds: 1)
            #expect(
                answers.contains(.helloWanted) && !answers.contains { $0.type == .commandAnswered })

            // No key, a wrong one: never heard.
            let plain = try Peer(.plain, at: worker).repeatedly(.goodbye(Goodbye()), seconds: 1)
            let stranger = ClientCertificate(keys: try .generate(), serverKey: lab.serverKey)
            let wrong = try Peer(.curve(stranger), at: worker)
                .repeatedly(.goodbye(Goodbye()), seconds: 1)
            #expect(plain.answers.isEmpty && wrong.answers.isEmpty)

            // A right key that floods, with names that it makes up.
            let hello = Message.hello(
                Hello(
                    host: "h", slots: 0, softwareVersion: softwareVersion,
                    offers: [ComputingOffer(engine: .onednn, precision: .float32)], attempts: []))
            let flood = try Peer(.curve(lab), at: worker)
                .repeatedly(hello, seconds: 3, isAnonymous: true)
            #expect(flood.count > 1_000)

            // A worker at work, whose key is revoked.
            let helper = try Program.start(
                [
                    "worker", "--connect", worker.description, "--slots", "1", "--certificate",
                    "keys/lab.cert",
                ], in: folder)
            try helper.waitForErrors(containing: "Joined")
            #expect(try run("keys", "revoke", name, "lba").errors.contains("did you mean 'lab'?"))
            #expect(try run("keys", "revoke", name, "lab").status == 0)
            #expect(try run("keys", "list", name).output.contains("revoked"))
            #expect(
                wait(upToSeconds: 60) {
                    let log = try? String(
                        contentsOfFile: place.logs + "/coordinator.log", encoding: .utf8)
                    return log?.contains("a revoked key") ?? false
                })
            helper.signal(SIGKILL)
            _ = helper.result()

            try expectNoSecrets(["keys", name + "/keys", name], in: folder, run: name)
            let boss = try run(
                "resume", "--connect", control.description, "--certificate", "keys/boss.cert")
            #expect(boss.status == 0, "\(boss.errors)")
            let result = launched.result()
            #expect(result.status == 0, "\(result.errors)")
            let log = try String(contentsOfFile: place.logs + "/coordinator.log", encoding: .utf8)
            #expect(log.contains("several workers") && log.contains("refused a key"))
            #expect(log.split(separator: "\n").count < 60, "once, not \(flood.count) times")

            let quiet = try run("launch", "tiny.yaml", "--runs", "other")
            #expect(quiet.status == 0)
            let other = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/other")
            let expected = try Collected.read("other/\(other[0])", in: folder)
            #expect(try Collected.read(name, in: folder).numbers == expected.numbers)
        }

        /// No secret key of the certificates in these folders stands in a process's arguments or its
        /// environment, nor in a file of the run that is no certificate.
        private func expectNoSecrets(
            _ folders: [String], in folder: borrowing TemporaryFolder, run: String
        ) throws {
            let files = FileManager.default
            var secrets: Set<String> = []
            for name in folders.map({ "\(folder.path)/\($0)" }) {
                for file in try files.contentsOfDirectory(atPath: name)
                where file.hasSuffix(".cert") {
                    let text = try String(contentsOfFile: "\(name)/\(file)", encoding: .utf8)
                    secrets.formUnion(
                        text.matches(of: /secret-key (\S+)/).map { String($0.1) })
                }
            }
            #expect(secrets.count >= 4, "the server's, a worker's, a client's and the owner's")
            let path = "\(folder.path)/\(run)"
            var places = try #require(files.subpaths(atPath: path)).map { "\(path)/\($0)" }
            places.removeAll { $0.hasSuffix(".cert") }
            #expect(places.contains { $0.hasSuffix("coordinator.log") })
            let processes = try files.contentsOfDirectory(atPath: "/proc").filter {
                pid_t($0) != nil
            }
            places += processes.flatMap { ["/proc/\($0)/cmdline", "/proc/\($0)/environ"] }
            for place in places {
                guard let content = files.contents(atPath: place) else { continue }
                for secret in secrets where content.firstRange(of: Data(secret.utf8)) != nil {
                    Issue.record("\(place) holds a secret key")
                }
            }
        }

        private func endpoint(_ path: String) throws -> Endpoint {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return try Endpoint(text.trimmingCharacters(in: .whitespacesAndNewlines)).reachedLocally
        }
    }
}
