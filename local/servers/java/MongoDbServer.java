import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.ServerVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.channel.Channel;
import java.nio.file.Path;
import org.h2.mvstore.MVStore;

/**
 * A server that speaks MongoDB's wire protocol. A write is on disk before its answer. Arguments: data file, port, and
 * optionally the file of the user who has to log in.
 */
public final class MongoDbServer {
  /** H2 writes in the background, up to a second later. This backend commits changes before it answers a command. */
  private static final class DurableBackend extends H2Backend {
    private final MVStore store;
    private final MongoLogin login;

    DurableBackend(MVStore store, MongoLogin login) {
      super(store);
      this.store = store;
      this.login = login;
    }

    private void commitChanges() {
      if (store.hasUnsavedChanges()) store.commit();
    }

    @Override
    public Document handleCommand(Channel channel, String database, String command, Document query) {
      try {
        if (login == null) return super.handleCommand(channel, database, command, query);
        Document answered = login.answer(channel, command, query);
        if (answered != null) return answered;
        Document answer = super.handleCommand(channel, database, command, query);
        MongoLogin.greet(command, answer);
        return answer;
      } finally {
        commitChanges();
      }
    }

    @Override
    public Document handleMessage(MongoMessage message) {
      try {
        return super.handleMessage(message);
      } finally {
        commitChanges();
      }
    }
  }

  public static void main(String[] args) {
    StopWithParent.watch();
    MVStore store = new MVStore.Builder().fileName(args[0]).autoCommitBufferSize(0).compress().open();
    // Only the newest version of a page is read. By default the file also keeps old versions, and grows.
    store.setRetentionTime(0);
    store.setVersionsToKeep(0);
    DurableBackend backend = new DurableBackend(store, args.length > 2 ? new MongoLogin(Path.of(args[2])) : null);
    backend.version(ServerVersion.MONGO_5_0);
    MongoServer server = new MongoServer(backend);
    server.bind("127.0.0.1", Integer.parseInt(args[1]));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
  }
}
