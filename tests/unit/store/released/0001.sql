BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE chap (
	target_id INTEGER NOT NULL, 
	direction VARCHAR NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	username VARCHAR NOT NULL, 
	secret BLOB, 
	secret_changed_at FLOAT NOT NULL, 
	CONSTRAINT pk_chap PRIMARY KEY (target_id, direction), 
	CONSTRAINT fk_chap_target_id FOREIGN KEY(target_id) REFERENCES target (id) ON DELETE CASCADE, 
	CONSTRAINT ck_chap_ck_chap_direction CHECK (direction IN ('one_way', 'mutual'))
);
INSERT INTO "chap" VALUES(3,'one_way',1,'alice',X'0C0CF81CFB3BE003E6DC74F7C31D8040F4A7EEB74CD9E51A087E772FE4BB5028502546E346E37DDD7DB4',1005.0);
INSERT INTO "chap" VALUES(3,'mutual',1,'nas',X'A69FBE118B60199AEDBF2DF6A6AF0062656F4138378F9144B38B6606DA7715CDB08847F65390E52656CF',1006.0);
CREATE TABLE lun (
	uuid VARCHAR NOT NULL, 
	target_id INTEGER NOT NULL, 
	lun INTEGER NOT NULL, 
	volume VARCHAR NOT NULL, 
	file VARCHAR NOT NULL, 
	trash_file VARCHAR NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_lun PRIMARY KEY (uuid), 
	CONSTRAINT fk_lun_target_id FOREIGN KEY(target_id) REFERENCES target (id) ON DELETE CASCADE, 
	CONSTRAINT fk_lun_volume FOREIGN KEY(volume) REFERENCES volume (name), 
	CONSTRAINT ck_lun_ck_lun_state CHECK (state IN ('creating', 'active', 'trashed'))
);
INSERT INTO "lun" VALUES('00112233445566778899aabbccddeeff',3,0,'fast','luns/00112233445566778899aabbccddeeff.img','',1048576,'active');
INSERT INTO "lun" VALUES('ffeeddccbbaa99887766554433221100',4,0,'default','trash/gone.img','',2097152,'trashed');
INSERT INTO "lun" VALUES('11111111111111111111111111111111',5,0,'default','luns/half.img','',512,'creating');
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
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_service PRIMARY KEY (id), 
	CONSTRAINT ck_service_ck_service_single CHECK (id = 1)
);
INSERT INTO "service" VALUES(1,1,860,1,'192.0.2.1',6);
CREATE TABLE target (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	header_digest BOOLEAN NOT NULL, 
	data_digest BOOLEAN NOT NULL, 
	created_at FLOAT NOT NULL, 
	trashed_at FLOAT, 
	revision INTEGER NOT NULL, 
	CONSTRAINT ck_target_ck_target_state CHECK (state IN ('creating', 'active', 'trashed'))
);
INSERT INTO "target" VALUES(3,'iqn.2026-11.test:disk','active',1,0,1001.0,NULL,7);
INSERT INTO "target" VALUES(4,'iqn.2026-11.test:gone','trashed',0,0,1002.0,1003.0,8);
INSERT INTO "target" VALUES(5,'iqn.2026-11.test:half','creating',0,0,1004.0,NULL,9);
CREATE TABLE user (
	name VARCHAR NOT NULL, 
	password_hash VARCHAR NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_user PRIMARY KEY (name)
);
INSERT INTO "user" VALUES('admin','$argon2id$admin',1000.0);
CREATE TABLE volume (
	name VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	overcommit_factor FLOAT NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_volume PRIMARY KEY (name)
);
INSERT INTO "volume" VALUES('default','',4.0,1);
INSERT INTO "volume" VALUES('fast','/srv/fast',2.0,5);
CREATE UNIQUE INDEX uq_target_name ON target (name) WHERE state != 'trashed';
CREATE UNIQUE INDEX uq_lun_target_id ON lun (target_id, lun);
CREATE INDEX ix_lun_volume ON lun (volume);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('target',5);
COMMIT;
