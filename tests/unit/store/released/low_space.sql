BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('low_space');
CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at FLOAT NOT NULL, 
	user VARCHAR NOT NULL, 
	way VARCHAR NOT NULL, 
	address VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	request VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	changes VARCHAR NOT NULL, 
	error VARCHAR NOT NULL
);
INSERT INTO "audit" VALUES(9,1012.0,'carol','password','192.0.2.9','update_service','service','{}','done','{"port": [null, 860]}','');
CREATE TABLE block (
	initiator VARCHAR NOT NULL, 
	until FLOAT, 
	note VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	created_by VARCHAR NOT NULL, 
	CONSTRAINT pk_block PRIMARY KEY (initiator)
);
INSERT INTO "block" VALUES('iqn.2026-11.test:evil',1900000000.0,'a note',1015.0,'carol');
CREATE TABLE chap (
	target_id INTEGER NOT NULL, 
	direction VARCHAR NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	username VARCHAR NOT NULL, 
	secret BLOB, 
	secret_changed_at FLOAT NOT NULL, old_username VARCHAR DEFAULT '' NOT NULL, old_secret BLOB, old_valid_until FLOAT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_chap PRIMARY KEY (target_id, direction), 
	CONSTRAINT fk_chap_target_id FOREIGN KEY(target_id) REFERENCES target (id) ON DELETE CASCADE, 
	CONSTRAINT ck_chap_ck_chap_direction CHECK (direction IN ('one_way', 'mutual'))
);
INSERT INTO "chap" VALUES(3,'one_way',1,'alice',X'0C0CF81CFB3BE003E6DC74F7C31D8040F4A7EEB74CD9E51A087E772FE4BB5028502546E346E37DDD7DB4',1005.0,'al',X'8883E9F28F37E7B36266C8117E347E7B287A1BAC5A70AA036955B47F71B41A30A1659DD32FDEE6A2AC82',1900000000.0);
INSERT INTO "chap" VALUES(3,'mutual',1,'nas',X'A69FBE118B60199AEDBF2DF6A6AF0062656F4138378F9144B38B6606DA7715CDB08847F65390E52656CF',1006.0,'',NULL,0.0);
CREATE TABLE credential (
	target_id INTEGER NOT NULL, 
	username VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	initiators VARCHAR NOT NULL, 
	secret BLOB NOT NULL, 
	secret_changed_at FLOAT NOT NULL, 
	old_username VARCHAR DEFAULT '' NOT NULL, 
	old_secret BLOB, 
	old_valid_until FLOAT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_credential PRIMARY KEY (target_id, username), 
	CONSTRAINT fk_credential_target_id FOREIGN KEY(target_id) REFERENCES target (id) ON DELETE CASCADE
);
INSERT INTO "credential" VALUES(3,'bob',0,'["iqn.2026-11.test:b"]',X'49447CAD6F2ED397CDBF200E34952EED5C1CFA13A43458A917DE2A8CD73A2EDCAE8B4070D8ECF6C7D6FC',1020.0,'',NULL,0.0);
CREATE TABLE discovery_chap (
	direction VARCHAR NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	username VARCHAR NOT NULL, 
	secret BLOB, 
	secret_changed_at FLOAT NOT NULL, 
	old_username VARCHAR DEFAULT '' NOT NULL, 
	old_secret BLOB, 
	old_valid_until FLOAT DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_discovery_chap PRIMARY KEY (direction), 
	CONSTRAINT ck_discovery_chap_ck_discovery_chap_direction CHECK (direction IN ('one_way', 'mutual'))
);
INSERT INTO "discovery_chap" VALUES('one_way',1,'finder',X'4097292046E7DC6A734969332654000C082DA79230F1CB7CA790C8A051C5BCC7021EB94BA0574D7ADBCE',1021.0,'',NULL,0.0);
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	CONSTRAINT pk_identity PRIMARY KEY (id), 
	CONSTRAINT ck_identity_ck_identity_single CHECK (id = 1)
);
INSERT INTO "identity" VALUES(1,'0123456789abcdef0123456789abcdef');
CREATE TABLE lun (
	uuid VARCHAR NOT NULL, 
	target_id INTEGER NOT NULL, 
	lun INTEGER NOT NULL, 
	volume VARCHAR NOT NULL, 
	file VARCHAR NOT NULL, 
	trash_file VARCHAR NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	state VARCHAR NOT NULL, "key" BLOB, kind VARCHAR DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_lun PRIMARY KEY (uuid), 
	CONSTRAINT fk_lun_target_id FOREIGN KEY(target_id) REFERENCES target (id) ON DELETE CASCADE, 
	CONSTRAINT fk_lun_volume FOREIGN KEY(volume) REFERENCES volume (name), 
	CONSTRAINT ck_lun_ck_lun_state CHECK (state IN ('creating', 'active', 'trashed'))
);
INSERT INTO "lun" VALUES('00112233445566778899aabbccddeeff',3,0,'fast','luns/00112233445566778899aabbccddeeff.img','',1048576,'active',X'B2D2DA440471F23EEE7B5D2DD01D8C369B9037D12B873AF9F485AC2C6140A7420E3BA529D944D5BF0C8E3685D18BD369D22297500084C5281E563DC4B250CBB87250CE41D61638C55C33E2841729889AAC7FAAFFB428E6EAA6624DBB','{"read_only": true, "serial": "S-1"}');
INSERT INTO "lun" VALUES('ffeeddccbbaa99887766554433221100',4,0,'default','trash/gone.img','',2097152,'trashed',NULL,'{}');
INSERT INTO "lun" VALUES('11111111111111111111111111111111',5,0,'default','luns/half.img','',512,'creating',NULL,'{}');
CREATE TABLE revision (
	id INTEGER NOT NULL, 
	value INTEGER NOT NULL, 
	key_check BLOB, 
	CONSTRAINT pk_revision PRIMARY KEY (id), 
	CONSTRAINT ck_revision_ck_revision_single CHECK (id = 1)
);
INSERT INTO "revision" VALUES(1,40,X'9063E589CBEEBE4B0DCF9601EDD66642BDAAFCA369B63CC66B638C87DD271A710F1194B5E8798645');
CREATE TABLE service (
	id INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	port INTEGER, 
	isns BOOLEAN NOT NULL, 
	isns_address VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, discovery_open BOOLEAN DEFAULT 0 NOT NULL, draining BOOLEAN DEFAULT 0 NOT NULL, portals VARCHAR, 
	CONSTRAINT pk_service PRIMARY KEY (id), 
	CONSTRAINT ck_service_ck_service_single CHECK (id = 1)
);
INSERT INTO "service" VALUES(1,1,860,1,'192.0.2.1',6,1,1,'[{"host": "192.0.2.7", "port": 860, "group": 2}]');
CREATE TABLE target (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	header_digest BOOLEAN NOT NULL, 
	data_digest BOOLEAN NOT NULL, 
	created_at FLOAT NOT NULL, 
	trashed_at FLOAT, 
	revision INTEGER NOT NULL, iops_max INTEGER DEFAULT 0 NOT NULL, bytes_per_second_max INTEGER DEFAULT 0 NOT NULL, draining BOOLEAN DEFAULT 0 NOT NULL, rules VARCHAR DEFAULT '[]' NOT NULL, single_initiator BOOLEAN DEFAULT 0 NOT NULL, portal_groups VARCHAR DEFAULT '[]' NOT NULL, isns BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT ck_target_ck_target_state CHECK (state IN ('creating', 'active', 'trashed'))
);
INSERT INTO "target" VALUES(3,'iqn.2026-11.test:disk','active',1,0,1001.0,NULL,7,500,104857600,1,'[{"initiators": ["iqn.2026-11.test:*"], "networks": ["192.0.2.0/24"], "read_only": true, "luns": [0]}]',1,'[2, 3]',0);
INSERT INTO "target" VALUES(4,'iqn.2026-11.test:gone','trashed',0,0,1002.0,1003.0,8,0,0,0,'[]',0,'[]',1);
INSERT INTO "target" VALUES(5,'iqn.2026-11.test:half','creating',0,0,1004.0,NULL,9,0,0,0,'[]',0,'[]',1);
CREATE TABLE token (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	role VARCHAR NOT NULL, 
	digest BLOB NOT NULL, 
	created_at FLOAT NOT NULL, 
	expires_at FLOAT, 
	CONSTRAINT ck_token_ck_token_role CHECK (role IN ('viewer', 'operator', 'admin')), 
	CONSTRAINT fk_token_user FOREIGN KEY(user) REFERENCES user (name) ON DELETE CASCADE
);
INSERT INTO "token" VALUES(2,'script','carol','viewer',X'0000000000000000000000000000000000000000000000000000000000000000',1011.0,2000000000.0);
CREATE TABLE user (
	name VARCHAR NOT NULL, 
	password_hash VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, role VARCHAR DEFAULT 'admin' NOT NULL, 
	CONSTRAINT pk_user PRIMARY KEY (name)
);
INSERT INTO "user" VALUES('admin','$argon2id$admin',1000.0,'admin');
INSERT INTO "user" VALUES('carol','$argon2id$carol',1010.0,'operator');
CREATE TABLE volume (
	name VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	overcommit_factor FLOAT NOT NULL, 
	revision INTEGER NOT NULL, low_space_percent INTEGER DEFAULT 10 NOT NULL, 
	CONSTRAINT pk_volume PRIMARY KEY (name)
);
INSERT INTO "volume" VALUES('default','',4.0,1,10);
INSERT INTO "volume" VALUES('fast','/srv/fast',2.0,5,25);
CREATE UNIQUE INDEX uq_target_name ON target (name) WHERE state != 'trashed';
CREATE UNIQUE INDEX uq_lun_target_id ON lun (target_id, lun);
CREATE INDEX ix_lun_volume ON lun (volume);
CREATE UNIQUE INDEX uq_token_digest ON token (digest);
CREATE UNIQUE INDEX uq_token_user ON token (user, name);
CREATE INDEX ix_audit_at ON audit (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('target',5);
INSERT INTO "sqlite_sequence" VALUES('token',2);
INSERT INTO "sqlite_sequence" VALUES('audit',9);
COMMIT;
