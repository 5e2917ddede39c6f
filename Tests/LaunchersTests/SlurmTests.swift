import ChildProcess
import Foundation
import SweepModel
import Testing

@testable import Launchers

/// What Slurm 22.05.8 printed for
/// `squeue --noheader --array --states=all --name=alsweep-x -O JobArrayID:|,State:|,Reason:|,exit_code:|,RestartCnt:|`
/// while an array's first job, which ended with status 75, was requeued by `RequeueExit=75`, its
/// second had ended with status 3, and another array was held.
private let recordedQueue = """
    1_1|FAILED|NonZeroExitCode|768|0|
    1_0|PENDING|BeginTime|19200|1|
    2_0|PENDING|JobHeldUser|0|0|
    2_1|PENDING|JobHeldUser|0|0|
    """

@Suite struct SlurmTests {
    @Test("squeue's lines are read as Slurm writes them")
    func recordedLines() throws {
        let jobs = try #require(SlurmJob.parse(recordedQueue))
        #expect(jobs.map(\.id) == ["1_1", "1_0", "2_0", "2_1"])
        #expect(jobs.map(\.exitStatus) == [3, 75, 0, 0])
        #expect(jobs.map(\.restarts) == [0, 1, 0, 0])
        #expect(jobs.map(\.isActive) == [false, true, true, true])
        #expect(jobs[0].workerPrefix == "slurm-1_1.0-" && jobs[1].workerPrefix == "slurm-1_0.1-")
        #expect(SlurmJob.parse("") == [])
        #expect(SlurmJob.parse("slurm_load_jobs error: Unable to contact slurm controller") == nil)
    }

    @Test(
        "a job's state says who is to blame",
        arguments: [
            ("COMPLETED", 0, SlurmEnd.regular), ("FAILED", 75, .regular), ("FAILED", 3, .failed),
            ("PREEMPTED", 0, .taken), ("NODE_FAIL", 0, .taken), ("BOOT_FAIL", 0, .taken),
            ("CANCELLED", 0, .taken), ("OUT_OF_MEMORY", 0, .outOfMemory),
            ("TIMEOUT", 0, .timeLimit),
            ("DEADLINE", 0, .timeLimit),
        ])
    func ends(state: String, status: Int, end: SlurmEnd) {
        let job = SlurmJob(id: "1_0", state: state, reason: "", exitStatus: status, restarts: 0)
        #expect(SlurmEnd(job) == end && !job.isActive)
    }

    @Test(
        "times are read as sbatch does",
        arguments: [
            ("30", 1_800), ("1:30", 90), ("2:00:00", 7_200), ("1-12", 129_600), ("1-0:30", 88_200),
            ("2-1:02:03", 176_523),
        ])
    func times(text: String, seconds: Int) { #expect(SlurmScript.seconds(text) == seconds) }

    private func sweep(key: String? = nil) -> LaunchedSweep {
        LaunchedSweep(
            run: "paper-20260131-120000", folder: RunFolder("/runs/paper-20260131-120000"),
            endpoint: "tcp://login1:5555", certificatePath: key)
    }

    @Test("the job script asks for what the group says, and to be told of its end in time")
    func script() throws {
        var group = SlurmGroup()
        group.partition = "cpu"
        group.time = "12:00:00"
        group.memory = "16G"
        group.setup.slots = 4
        group.setup.threads = 2
        group.options = ["--constraint=avx512"]
        group.preparation = "module load gcc"
        let text = SlurmScript(sweep: sweep(key: "/k/client.cert"), group: group, index: 1)
            .text(key: "secret\n")
        for line in [
            "#SBATCH --job-name=alsweep-paper-20260131-120000-1", "#SBATCH --signal=B:USR2@180",
            "#SBATCH --requeue", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=16G",
            "#SBATCH --partition=cpu", "#SBATCH --time=12:00:00", "#SBATCH --constraint=avx512",
            "module load gcc",
        ] { #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)") }
        #expect(
            text.contains(
                "--slots 4 --threads 2 --certificate /k/client.cert --walltime 43020 --identifier"))
        #expect(!text.contains("secret"), "the jobs see the run's folder")
        group.isShared = false
        group.time = "4"
        let alone = SlurmScript(sweep: sweep(key: "/k/client.cert"), group: group, index: 1)
            .text(key: "secret\n")
        #expect(
            alone.contains("\nsecret\nALSWEEP_KEY\n") && alone.contains("--certificate \"$key\""))
        #expect(alone.contains("B:USR2@60"), "a quarter of a short job's time")
    }

    @Test("bash takes the job script", arguments: [true, false])
    func syntax(isShared: Bool) throws {
        var group = SlurmGroup()
        group.isShared = isShared
        group.setup.environment = [EnvironmentVariable(name: "A", value: "it's $5")]
        let text = SlurmScript(sweep: sweep(key: "/k"), group: group, index: 0).text(key: "secret")
        let folder = NSTemporaryDirectory()
        let run = try CommandRun(
            Command(["bash", "-n"], input: text, timeoutMs: 60_000), folder: folder, at: 0)
        var result: CommandResult?
        while result == nil {
            result = run.poll(at: 0)
            usleep(10_000)
        }
        #expect(result == CommandResult(status: 0, output: ""))
    }
}

/// The number of jobs, list by list, without Slurm.
@Suite struct SlurmQueueTests {
    private func queue(slots: Int = 2, jobLimit: Int = 10, arrayLimit: Int = 100) -> SlurmQueue {
        SlurmQueue(
            label: "slurm", slots: slots, jobLimit: jobLimit, arrayLimit: arrayLimit,
            logHint: "see logs")
    }

    private func situation(
        waiting: Int, _ workers: [(id: String, slots: Int, trials: Int)] = []
    ) -> SweepSituation {
        SweepSituation(
            waitingTrials: waiting,
            workers: workers.map { .init(id: WorkerID($0.id), slots: $0.slots, trials: $0.trials) })
    }

    /// One list of squeue, and the steps that follow from it.
    private func list(
        _ queue: inout SlurmQueue, _ lines: String, _ situation: SweepSituation, at now: Int64,
        notices: inout [LauncherNotice]
    ) -> SlurmStep? {
        var step = queue.step(at: now)
        while let other = step, other != .list { step = queue.step(at: now) }
        guard step == .list else { return nil }
        notices += queue.finished(
            .list, CommandResult(status: 0, output: lines), situation, at: now)
        let next = queue.step(at: now)
        return next == .list ? nil : next
    }

    @Test("as many jobs are submitted as trials can use, up to the limits")
    func demand() {
        var notices: [LauncherNotice] = []
        for (waiting, limit, array, expected) in [(5, 10, 100, 3), (50, 4, 100, 4), (50, 10, 6, 6)]
        {
            var queue = queue(jobLimit: limit, arrayLimit: array)
            #expect(list(&queue, "", situation(waiting: waiting), at: 0, notices: &notices) == nil)
            let step = list(&queue, "", situation(waiting: waiting), at: 60_000, notices: &notices)
            #expect(step == .submit(count: expected))
        }
        var queue = queue()
        _ = queue.step(at: 0)
        // What the other workers have room for is theirs.
        let others = situation(waiting: 5, [("here", 4, 1)])
        #expect(queue.wantedCount(others) == 1)
        #expect(queue.wantedCount(situation(waiting: 0)) == 0)
    }

    @Test("jobs that are there are counted, also those of an earlier coordinator")
    func foundAgain() {
        var queue = queue()
        var notices: [LauncherNotice] = []
        _ = list(
            &queue, "7_0|RUNNING|None|0|0|\n7_1|PENDING|Priority|0|0|", situation(waiting: 4),
            at: 0, notices: &notices)
        #expect(notices == [.said("slurm: found 2 jobs of this run")])
        let step = list(
            &queue, "7_0|RUNNING|None|0|0|\n7_1|PENDING|Priority|0|0|", situation(waiting: 4),
            at: 60_000, notices: &notices)
        #expect(step == nil)
    }

    @Test("jobs that wait are withdrawn first, and a worker only after a while without trials")
    func notNeeded() {
        var queue = queue(slots: 1)
        var notices: [LauncherNotice] = []
        let lines = "7_0|RUNNING|None|0|0|\n7_1|RUNNING|None|0|0|\n7_2|PENDING|Priority|0|0|"
        let workers = situation(
            waiting: 0, [("slurm-7_0.0-ab", 1, 1), ("slurm-7_1.0-cd", 1, 0)])
        #expect(
            list(&queue, lines, workers, at: 0, notices: &notices) == .cancel(["7_2"]))
        let running = "7_0|RUNNING|None|0|0|\n7_1|RUNNING|None|0|0|"
        #expect(list(&queue, running, workers, at: 30_000, notices: &notices) == nil)
        #expect(
            list(&queue, running, workers, at: SlurmQueue.idleMs, notices: &notices)
                == .cancel(["7_1"]))
    }

    @Test("a job that fails at once is followed later and later, and that is said")
    func backOff() {
        var queue = queue(slots: 1)
        var notices: [LauncherNotice] = []
        var now: Int64 = 0
        var submissions: [Int64] = []
        var jobNumber = 0
        var lines = ""
        for _ in 0..<400 {
            if list(&queue, lines, situation(waiting: 1), at: now, notices: &notices) != nil {
                submissions.append(now)
                jobNumber += 1
                _ = queue.finished(
                    .submit(count: 1), CommandResult(status: 0, output: "\(jobNumber)\n"),
                    situation(waiting: 1), at: now)
                _ = list(
                    &queue, "\(jobNumber)_0|RUNNING|None|0|0|", situation(waiting: 1), at: now,
                    notices: &notices)
                lines = "\(jobNumber)_0|FAILED|NonZeroExitCode|256|0|"
            }
            now += 5_000
        }
        let pauses = zip(submissions.dropFirst(), submissions).map { $0 - $1 }
        #expect(pauses.count >= 5 && zip(pauses.dropFirst(), pauses).allSatisfy { $0 >= $1 })
        #expect(pauses.last! >= 300_000)
        #expect("\(notices)".contains("failed with status 1; the next is submitted in 10 s"))
    }

    @Test("a worker's death is told at once, and memory is the trials' fault")
    func deaths() {
        var queue = queue(slots: 1)
        var notices: [LauncherNotice] = []
        let workers = situation(
            waiting: 0,
            [("slurm-7_0.0-aa", 1, 1), ("slurm-7_1.0-bb", 1, 1), ("slurm-7_10.0-cc", 1, 1)])
        _ = list(
            &queue, "7_0|RUNNING|None|0|0|\n7_1|RUNNING|None|0|0|\n7_10|RUNNING|None|0|0|", workers,
            at: 0, notices: &notices)
        notices = []
        // Preempted and queued again, out of memory, and still running.
        _ = list(
            &queue,
            "7_0|PENDING|BeginTime|0|1|\n7_1|OUT_OF_MEMORY|OutOfMemory|0|0|\n7_10|RUNNING|None|0|0|",
            workers, at: 10_000, notices: &notices)
        let deaths = notices.compactMap { notice -> (WorkerID, FailureKind?)? in
            if case .workerDied(let id, let fault) = notice { (id, fault?.kind) } else { nil }
        }
        #expect(deaths.map(\.0.rawValue) == ["slurm-7_0.0-aa", "slurm-7_1.0-bb"])
        #expect(deaths.map(\.1) == [nil, .outOfMemory])
    }

    @Test("a queue that cannot be asked leaves the jobs alone")
    func unreachable() {
        var queue = queue()
        var notices: [LauncherNotice] = []
        _ = list(&queue, "7_0|RUNNING|None|0|0|", situation(waiting: 2), at: 0, notices: &notices)
        _ = queue.step(at: 60_000)
        let told = queue.finished(
            .list, CommandResult(status: 1, output: "slurm_load_jobs error: no controller"),
            situation(waiting: 2), at: 60_000)
        #expect("\(told)".contains("no controller"))
        #expect(queue.jobs.count == 1 && queue.step(at: 60_000) == nil)
    }
}
