/// The scripts that run on a worker's machine, by its `sh`. Each says what it found in lines that
/// begin with `alsweep:`.
///
/// The worker is a session of its own there, which outlives the connection; `worker.pid` in its
/// folder names its process, and the process names the folder in its arguments, so that another
/// process that got the number later is not mistaken for it.
struct SSHScripts {
    /// So long a worker may take to end by itself, and again after it was asked to, in tenths of a
    /// second.
    private static let patience = 50

    let sweep: LaunchedSweep
    let setup: WorkerSetup
    let host: SSHHost

    /// The machine's own part of the run.
    private var folder: String {
        let label = host.label.map { $0.isLetter || $0.isNumber ? String($0) : "-" }.joined()
        return "\(setup.scratchFolder)/workers/" + shellWord(sweep.run) + "/" + label
    }

    private var prelude: String {
        """
        set -eu
        umask 077
        folder=\(folder)
        mkdir -p "$folder"
        cd "$folder"
        folder=$(pwd)
        is_alive() {
            pid=$(cat worker.pid 2>/dev/null) && [ -n "$pid" ] &&
                tr '\\0' '\\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -e "$folder"
        } 2>/dev/null
        report() {
            if is_alive; then
                echo "alsweep:alive $(cat worker.id) $pid"
            else
                echo "alsweep:gone $(cat worker.id 2>/dev/null || echo none)"
                tail -n 5 worker.log 2>/dev/null || true
            fi
        }

        """
    }

    /// Looks at the machine, and tells a worker that is at work there where the coordinator is now.
    ///
    /// - Parameter digest: of the program that would be copied, in hex; nil if none is.
    func preparation(digest: String?) -> String {
        var script = prelude + "printf '%s\\n' \(shellWord(sweep.endpoint)) >endpoint\n"
        script += "echo \"alsweep:folder $folder\"\necho \"alsweep:machine $(uname -m)\"\n"
        if let digest {
            let path = "../../../bin/alsweep-" + digest.prefix(16)
            script += """
                mkdir -p ../../../bin
                if echo "\(digest)  \(path)" | sha256sum -c >/dev/null 2>&1; then
                    echo "alsweep:program there"
                fi

                """
        }
        return script + "report\n"
    }

    /// Starts the worker if none is at work.
    func start(worker: String, digest: String?) -> String {
        var script = prelude
        script += """
            if is_alive; then report; exit 0; fi
            rm -f worker.pid

            """
        if sweep.certificatePath != nil {
            script += """
                if [ -f client.cert.part ]; then
                    chmod 600 client.cert.part
                    mv client.cert.part client.cert
                fi

                """
        }
        let program: String
        if let digest {
            program = "../../../bin/alsweep-" + digest.prefix(16)
            script += """
                if [ -f program.part ]; then
                    echo "\(digest)  program.part" | sha256sum -c >/dev/null
                    chmod 700 program.part
                    # Another machine with the same folder may have been faster.
                    if [ -x \(program) ]; then
                        rm -f program.part
                    else
                        mv program.part \(program)
                    fi
                fi

                """
        } else if case .installed(let path) = setup.program {
            program = shellPath(path)
        } else {
            preconditionFailure("a program is copied without its digest")
        }
        let certificate =
            sweep.certificatePath == nil ? "" : " --certificate \"$folder/client.cert\""
        script += """
            if ! command -v \(program) >/dev/null; then
                echo "alsweep:missing "\(program)
                exit 0
            fi
            tail -n 1000 worker.log >worker.log.before 2>/dev/null || true
            echo \(shellWord(worker)) >worker.id
            \(setup.assignments)setsid nohup \(program) worker --connect \(shellWord(sweep.endpoint)) \
            \(setup.options(slots: host.slots)) --identifier \(shellWord(worker))\(certificate) \
            --spawned-for "$folder" </dev/null >worker.log 2>&1 &
            echo $! >worker.pid
            echo "alsweep:alive $(cat worker.id) $!"

            """
        return script
    }

    func check() -> String { prelude + "report\n" }

    /// Lets the worker end, asks it to, makes it; its key goes with it.
    func stop() -> String {
        prelude + """
            linger() {
                count=0
                while is_alive && [ $count -lt \(Self.patience) ]; do
                    sleep 0.1
                    count=$((count + 1))
                done
            }
            linger
            if is_alive; then kill -TERM "$pid"; linger; fi
            if is_alive; then kill -KILL "$pid"; fi
            rm -f client.cert client.cert.part worker.pid endpoint program.part
            echo "alsweep:stopped $(cat worker.id 2>/dev/null || echo none)"

            """
    }
}
